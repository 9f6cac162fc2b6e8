/** What a copy writes is read by real registries, engines and skopeo. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { type DockerDaemon, startDockerDaemon } from "../helpers/docker_daemon.ts";
import { type Blob, type Image, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { PodmanUser } from "../helpers/podman_user.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { richImage } from "../helpers/storage_fixture.ts";
import { directory, file } from "../helpers/tar_fixture.ts";

const work = scratchDirectory("copy");
const layout = join(work, "layout");
const denroot = useDenroot();
let image: Image;
let index: Blob;
let docker: DockerDaemon;
let podman: PodmanUser;
let open: Registry;

before(async () => {
  image = writeImage(layout, { ...richImage, tag: "one" });
  const other = writeImage(layout, {
    layers: [[directory("etc"), file("etc/arch", "arm")]],
    platform: {
      os: "linux",
      architecture: image.platform.architecture === "arm64" ? "s390x" : "arm64",
    },
    listed: false,
  });
  index = writeIndex(
    layout,
    [image, other].map(({ manifest, platform }) => ({
      blob: manifest,
      platform,
    })),
    { tag: "all" },
  );
  podman = new PodmanUser(work, "root");
  [open, docker] = await Promise.all([startRegistry({}), startDockerDaemon()]);
});

after(async () => {
  await Promise.all([open.stop(), docker.stop(), podman.stop()]);
});

async function skopeo(...args: readonly string[]): Promise<string> {
  return (await runProgram("skopeo", ["--insecure-policy", ...args])).stdout;
}

/** The digest of what a URI names, as skopeo sees it. */
async function digestOf(uri: string, ...args: readonly string[]): Promise<string> {
  const raw = await skopeo("inspect", "--raw", ...args, uri);
  const path = join(work, "raw");
  writeFileSync(path, raw);
  return (await skopeo("manifest-digest", path)).trim();
}

const insecure = ["--tls-verify=false"];

testOneRuntime(
  "an index comes through registries, archives and directories unchanged",
  async (denroot) => {
    const at = (name: string) => join(denroot.work, name);
    const places = [
      `docker://${open.host}/far/app:v1`,
      `oci:${at("oci")}:v1`,
      `oci-archive:${at("a.tar")}:v1`,
      `dir:${at("dir")}`,
      `docker://${open.host}/back/app:v1`,
    ];
    let from = `oci:${layout}:all`;
    for (const to of places) {
      const { stdout } = await denroot.succeed(["copy", "--json", from, to]);
      const result = JSON.parse(stdout);
      assert.equal(result.digest, index.digest);
      assert.equal(result.sourceDigest, index.digest);
      assert.equal(
        await digestOf(to, ...to.startsWith("docker:") ? insecure : []),
        index.digest,
        to,
      );
      from = to;
    }
    // skopeo verifies every blob that it copies.
    await skopeo("copy", "--all", "--src-tls-verify=false", from, `oci:${at("skopeo")}:v1`);
    assert.equal(await digestOf(`oci:${at("skopeo")}:v1`), index.digest);
  },
);

testOneRuntime(
  "skopeo reads a directory and an archive, and denroot reads skopeo's",
  async (denroot) => {
    const at = (name: string) => join(denroot.work, name);
    await denroot.succeed(["copy", `oci:${layout}:one`, `dir:${at("ours")}`]);
    await skopeo("copy", `oci:${layout}:one`, `dir:${at("theirs")}`);
    assert.deepEqual(readdirSync(at("ours")).sort(), readdirSync(at("theirs")).sort());
    for (const name of readdirSync(at("ours"))) {
      assert.deepEqual(
        readFileSync(join(at("ours"), name)),
        readFileSync(join(at("theirs"), name)),
      );
    }
    await denroot.succeed(["copy", `dir:${at("theirs")}`, `oci-archive:${at("b.tar")}:x`]);
    assert.equal(await digestOf(`oci-archive:${at("b.tar")}:x`), image.manifest.digest);
  },
);

testOneRuntime("Docker, podman and skopeo read one archive for docker load", async (denroot) => {
  const archive = join(denroot.work, "saved.tar");
  const name = "example.org/team/app:v1";
  await denroot.succeed([
    "copy",
    `oci:${layout}:all`,
    `docker-archive:${archive}:${name}`,
    "--tag",
    "v2",
  ]);
  await runProgram("docker", ["-H", `unix://${docker.socket}`, "load", "--input", archive]);
  await podman.run("podman", ["load", "--quiet", "--input", archive]);
  const ids = await Promise.all([
    idInDocker(name),
    idInDocker("example.org/team/app:v2"),
    idInPodman(name),
  ]);
  assert.deepEqual(new Set(ids), new Set([image.config.digest]));
  assert.match(await skopeo("inspect", `docker-archive:${archive}:${name}`), /example\.org/);
  assert.match(await skopeo("inspect", `oci-archive:${archive}:v2`), /Layers/);
  // An archive of several images for a gap is one for docker load too.
  const gap = join(denroot.work, "gap.tar");
  const plain = writeImage(layout, { layers: [[file("plain", "plain")]], tag: "plain" });
  const list = ["plain", "all"].map((tag) => `oci:${layout}:${tag}`);
  await denroot.succeed(["sync", ...list, `oci-archive:${gap}`]);
  await runProgram("docker", ["-H", `unix://${docker.socket}`, "load", "--input", gap]);
  assert.equal(await idInDocker("layout:plain"), plain.config.digest);
});

testOneRuntime(
  "the Docker daemon and podman take an image without a file in between",
  async (denroot) => {
    const env = { DOCKER_HOST: `unix://${docker.socket}`, ...podman.environment };
    await denroot.succeed(["copy", `oci:${layout}:one`, "docker-daemon:direct/app:v1"], { env });
    assert.equal(await idInDocker("direct/app:v1"), image.config.digest);
    const to = "containers-storage:localhost/direct/app:v1";
    await denroot.succeed(["copy", `oci:${layout}:one`, to], { env });
    assert.equal(await idInPodman("localhost/direct/app:v1"), image.config.digest);
    for (const place of ["docker-daemon:direct/app:v1", to]) {
      const args = ["verify", "--deep", `oci:${layout}:one`, place];
      assert.match((await denroot.succeed(args, { env })).stderr, /same (image|content)/);
    }
    writeImage(layout, { layers: [[file("other", "other")]], tag: "two" });
    for (const place of ["docker-daemon:direct/app:v1", to]) {
      const again = await denroot.succeed(["copy", `oci:${layout}:one`, place], { env });
      assert.match(again.stderr, /is sha256:\w+ already/);
      const other = ["copy", `oci:${layout}:two`, place];
      assert.match(
        (await denroot.run(other, { env })).stderr,
        /is another image: sha256:.*--force/s,
      );
      await denroot.succeed(["copy", "--force", `oci:${layout}:one`, place], { env });
    }
    // What podman has unpacked is compressed anew, the same way each time.
    const back = ["copy", "--json", to];
    const first = await denroot.succeed([...back, `docker://${open.host}/from/podman:v1`], { env });
    const second = await denroot.succeed([...back, `docker://${open.host}/from/podman:v1`], {
      env,
    });
    assert.match(first.stderr, /The digest changes: .* was sha256:\w+, and the copy is sha256:/);
    assert.match(second.stderr, /is sha256:\w+ already/);
    assert.equal(JSON.parse(first.stdout).digest, JSON.parse(second.stdout).digest);
    assert.deepEqual(denroot.unfinishedBlobs(), []);
  },
);

async function idInDocker(name: string): Promise<string> {
  const args = ["-H", `unix://${docker.socket}`, "image", "inspect", "--format={{.Id}}", name];
  return (await runProgram("docker", args)).stdout.trim();
}

async function idInPodman(name: string): Promise<string> {
  const args = ["image", "inspect", "--format={{.Id}}", name];
  return `sha256:${(await podman.run("podman", args)).stdout.trim()}`;
}

testOneRuntime("an archive goes down a pipe", async (denroot) => {
  const command = [
    ...denroot.runtime.command,
    "copy",
    `oci:${layout}:all`,
    "oci-archive:/dev/stdout:p",
  ];
  const shell = `"$@" | cat > piped.tar`;
  const env = denroot.environment();
  await startProgram("sh", ["-c", shell, "sh", ...command], { cwd: denroot.work, env }).done;
  assert.equal(await digestOf(`oci-archive:${join(denroot.work, "piped.tar")}:p`), index.digest);
});

test("a second copy is done at once, and another image does not take the name", async () => {
  const to = `docker://${open.host}/twice/app:v1`;
  await denroot.succeed(["copy", `oci:${layout}:all`, to]);
  const before = open.log().length;
  const again = await denroot.succeed(["copy", `oci:${layout}:all`, to]);
  await open.hasLogged("/v2/twice/app/manifests/v1", before);
  assert.match(again.stderr, /already/);
  const requests = open.log().slice(before).match(/"(HEAD|GET|PUT|POST) \/v2\/twice[^"]*/g) ?? [];
  assert.equal(requests.length, 1, requests.join("\n"));
  const other = await denroot.run(["copy", `oci:${layout}:one`, to]);
  assert.equal(other.exitCode, 1);
  assert.match(other.stderr, /is another image: .*\n.*--force/);
  assert.equal(await digestOf(to, ...insecure), index.digest);
  await denroot.succeed(["copy", "--force", `oci:${layout}:one`, to]);
  assert.equal(await digestOf(to, ...insecure), image.manifest.digest);
});

test("blobs are mounted from a repository beside, and from one that is named", async () => {
  await denroot.succeed(["copy", `oci:${layout}:all`, `docker://${open.host}/a/app:v1`]);
  const beside = await denroot.succeed([
    ...["copy", "--json", `docker://${open.host}/a/app:v1`, `docker://${open.host}/b/app:v1`],
  ]);
  const named = await denroot.succeed([
    ...[
      "copy",
      "--json",
      "--from-repo",
      "a/app",
      `oci:${layout}:all`,
      `docker://${open.host}/c/app:v1`,
    ],
  ]);
  for (const { stdout } of [beside, named]) {
    const { blobs, bytes } = JSON.parse(stdout);
    assert.deepEqual(
      new Set(blobs.map(({ fate }: { fate: string }) => fate)),
      new Set(["mounted"]),
    );
    assert.equal(bytes, 0);
  }
});

test("some platforms give a new index, or the same one with --sparse", async () => {
  const third = writeImage(layout, {
    layers: [[file("third", "3")]],
    platform: { os: "linux", architecture: "ppc64le" },
    listed: false,
  });
  const entries = [...JSON.parse(index.bytes.toString()).manifests, {
    mediaType: third.manifest.mediaType,
    digest: third.manifest.digest,
    size: third.manifest.size,
    platform: third.platform,
  }];
  const { digest } = writeIndex(
    layout,
    entries.map((entry) => ({
      blob: { ...entry, bytes: Buffer.alloc(0) },
      platform: entry.platform,
    })),
    { tag: "three" },
  );
  const chosen = [
    "--platform",
    "linux/ppc64le",
    "--platform",
    `linux/${image.platform.architecture}`,
  ];
  await denroot.succeed(["copy", ...chosen, `oci:${layout}:three`, "oci:some:new"]);
  await denroot.succeed(["copy", ...chosen, "--sparse", `oci:${layout}:three`, "oci:sparse:v1"]);
  const made = JSON.parse(
    await skopeo("inspect", "--raw", `oci:${join(denroot.work, "some")}:new`),
  );
  assert.equal(made.manifests.length, 2);
  assert.equal(await digestOf(`oci:${join(denroot.work, "sparse")}:v1`), digest);
  const single = await denroot.succeed([
    "copy",
    "-a",
    "ppc64le",
    `oci:${layout}:three`,
    "oci:one:v1",
    "--json",
  ]);
  assert.equal(JSON.parse(single.stdout).digest, third.manifest.digest);
});

test("an interrupted copy leaves nothing under a name, and no file", async () => {
  const large = join(work, "large");
  writeImage(large, {
    layers: [{ tar: [file("r", Buffer.alloc(60_000_000, "x"))], compression: "none" }],
  });
  const places = ["oci-archive:cut.tar", "docker-archive:cut2.tar", "dir:cut3"];
  for (const place of places) {
    // A copy that ended before the signal came leaves its file, which must not be in the way.
    const cwd = mkdtempSync(join(denroot.work, "clean-"));
    const running = denroot.start(["copy", `oci:${large}`, place], { cwd });
    for (let i = 0; i < 1000 && readdirSync(cwd).length === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    running.child.kill("SIGINT");
    const { exitCode } = await running.done;
    if (exitCode !== 0) assert.deepEqual(readdirSync(cwd), [], place);
  }
});

test("what cannot be written is refused in words", async () => {
  writeFileSync(join(denroot.work, "there.tar"), "");
  const from = `oci:${layout}:one`;
  const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[from, "oci-archive:there.tar"], /exists already\n.*--force/],
    [[from, "./somewhere"], /does not say what to write\n.*oci:\.\/somewhere, dir:\.\/somewhere\n/],
    [[from, "ostree:app@/srv/repo"], /given the format up/],
    [[from, "oci-archive:no/such/dir.tar"], /There is no directory/],
    [[from, "oci:x:v1", "--sparse"], /which platforms/],
    [[from, "dir:new", "--tag", "v2"], /no room for further tags/],
    [[from, `oci:x@sha256:${"0".repeat(64)}`], /is to be an image with the digest/],
    [["--platform", "windows/amd64", from, "oci:x:v1"], /no image for windows|not for windows/],
    [[from, "oci:x:v1", "--dest-user", "me"], /is no registry/],
  ];
  for (const [args, message] of refused) {
    const { exitCode, stderr } = await denroot.run(["copy", ...args]);
    assert.ok(exitCode === 1 || exitCode === 2, args.join(" "));
    assert.match(stderr, message);
  }
});
