/** `inspect` shows what `skopeo inspect` shows, and what an import would do. */

import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Denroot, testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import {
  blobPath,
  digestOf,
  hostArchitecture,
  type Image,
  jsonBlob,
  writeBlob,
  writeImage,
  writeIndex,
} from "../helpers/image_fixture.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file } from "../helpers/tar_fixture.ts";

const scratch = scratchDirectory("inspect");
const layout = join(scratch, "layout");
const config = {
  User: "1000:1000",
  ExposedPorts: { "80/tcp": {}, "443/tcp": {} },
  Env: ["PATH=/usr/bin:/bin", "GREETING=Grüße \u001b[31m"],
  Entrypoint: ["/bin/app", "an argument"],
  Cmd: ["serve"],
  Volumes: { "/data": {} },
  WorkingDir: "/srv",
  Labels: { "org.example.a": "x".repeat(200), "org.example.b": "line\nline" },
  StopSignal: "SIGTERM",
};
const image = writeImage(layout, {
  layers: [[directory("srv"), file("srv/a", "a".repeat(5000))], [file("srv/b", "b")]],
  config,
  tag: "plain",
});
let registry: Registry;

before(async () => {
  registry = await startRegistry();
  registry.add(image, "team/app", "1.0");
});
after(() => registry.stop());

testOneRuntime("JSON has skopeo's fields, as skopeo fills them", async (denroot) => {
  const plain = { docker: `docker://${registry.host}/team/app:1.0`, oci: `oci:${layout}:plain` };
  for (const uri of Object.values(plain)) {
    const { Name, LayersData, RepoTags, ...shared } = await inspect(denroot, uri);
    const theirs = await skopeo("inspect", uri);
    const { Name: theirName, RepoTags: theirTags, LayersData: _, ...expected } = theirs;
    assert.equal(Name, theirName);
    for (const [name, value] of Object.entries(expected)) {
      assert.deepEqual(shared[name], value, `${uri}: ${name}`);
    }
    if (uri === plain.docker) assert.deepEqual([RepoTags, theirTags], [undefined, ["1.0"]]);
    assert.deepEqual(
      (LayersData as { Digest: string; Size: number }[]).map((one) => [one.Digest, one.Size]),
      image.layers.map(({ digest, size }) => [digest, size]),
    );
  }
});

testOneRuntime("--raw and --config print the stored bytes", async (denroot) => {
  const uri = `docker://${registry.host}/team/app:1.0`;
  const bytes = async (...options: string[]) =>
    (await denroot.succeed(["inspect", ...options, uri])).stdoutBytes;
  assert.deepEqual(await bytes("--raw"), image.manifest.bytes);
  assert.deepEqual(await bytes("--raw"), await skopeoBytes("inspect", "--raw", uri));
  assert.deepEqual(await bytes("--config"), image.config.bytes);
  const theirs = await skopeoBytes("inspect", "--config", "--raw", uri);
  assert.deepEqual(await bytes("--config", "--raw"), theirs);
});

testOneRuntime("nothing of the layers is fetched, and nothing is written", async (denroot) => {
  const before = registry.log().length;
  const { DownloadBytes, CachedBytes } = await inspect(denroot, registry.uri("team/app", "1.0"));
  await registry.hasLogged(`GET /v2/team/app/blobs/${image.config.digest}`, before);
  const requests = registry.log().slice(before);
  for (const { digest } of image.layers) assert.ok(!requests.includes(digest), digest);
  assert.ok(!existsSync(join(denroot.cache, "blobs")));
  assert.deepEqual(denroot.leftovers(), []);
  assert.equal(DownloadBytes, storedBytes(image));
  assert.equal(CachedBytes, 0);
});

const denroot = useDenroot();

test("blobs in the cache count as not to be fetched; damage there does no harm", async () => {
  const home = useDenroot();
  const uri = registry.uri("team/app", "1.0");
  await home.import(uri);
  const all = await inspect(home, uri);
  assert.deepEqual([all.DownloadBytes, all.CachedBytes], [0, storedBytes(image)]);
  const [base] = image.layers;
  rmSync(blobPath(home.cache, base!.digest));
  const { DownloadBytes, CachedBytes, LayersData } = await inspect(home, uri);
  assert.equal(DownloadBytes, base!.size);
  assert.equal(CachedBytes, storedBytes(image) - base!.size);
  const places = (LayersData as { Place: string }[]).map(({ Place }) => Place);
  assert.deepEqual(places, ["missing", "cache"]);
  const path = blobPath(home.cache, image.config.digest);
  writeFileSync(path, Buffer.alloc(statSync(path).size, 32));
  assert.deepEqual((await inspect(home, uri)).Env, config.Env);
});

test("an index shows what it offers, and leads to the platform's image", async () => {
  const other = writeImage(layout, {
    layers: [[file("other", "other")]],
    platform: { os: "linux", architecture: "s390x" },
    listed: false,
  });
  const attestation = jsonBlob("application/vnd.oci.image.manifest.v1+json", {});
  writeBlob(layout, attestation);
  const index = writeIndex(layout, [
    { blob: image.manifest, platform: image.platform },
    { blob: other.manifest, platform: { ...other.platform, variant: "v1" } },
    { blob: attestation, platform: { os: "unknown", architecture: "unknown" } },
  ], { tag: "index" });
  const uri = `oci:${layout}:index`;
  const mine = await inspect(denroot, uri);
  assert.equal(mine.Digest, index.digest);
  assert.equal(mine.ManifestDigest, image.manifest.digest);
  assert.equal(mine.Digest, (await skopeo("inspect", uri)).Digest);
  assert.deepEqual(mine.Platforms, [
    { Os: "linux", Architecture: hostArchitecture(), Digest: image.manifest.digest },
    { Os: "linux", Architecture: "s390x", Variant: "v1", Digest: other.manifest.digest },
  ]);
  const theirs = await inspect(denroot, uri, "--arch", "s390x");
  assert.deepEqual([theirs.ManifestDigest, theirs.Architecture], [other.manifest.digest, "s390x"]);
  const raw = await denroot.succeed(["inspect", "--raw", uri]);
  assert.deepEqual(raw.stdoutBytes, index.bytes);
  const text = (await denroot.succeed(["inspect", uri])).stdout;
  assert.match(text, new RegExp(`^Index +${index.digest}$`, "m"));
  assert.match(text, /^Offered +linux\/\w+, linux\/s390x\/v1$/m);
});

test("each step of the history names the layer that it made", async () => {
  const history = [
    { created: "2024-01-01T00:00:00Z", created_by: "/bin/sh -c #(nop) ADD file:1 in / " },
    { created_by: '/bin/sh -c #(nop)  CMD ["bash"]', empty_layer: true },
    {
      created_by: "RUN |1 A=b /bin/sh -c apt-get update   && make # buildkit",
      author: "me",
      comment: "why",
    },
  ];
  const uri = relabelled({ history, author: "A. Person", docker_version: "20.10" });
  const { History, Author, DockerVersion } = await inspect(denroot, uri);
  assert.deepEqual((History as { Layer?: number }[]).map(({ Layer }) => Layer), [0, undefined, 1]);
  assert.deepEqual([Author, DockerVersion], ["A. Person", "20.10"]);
  const text = (await denroot.succeed(["inspect", uri])).stdout;
  assert.match(text, /^ {2}1 {2}[0-9a-f]{12} +\d+ B {2}local {4}ADD file:1 in \/$/m);
  assert.match(text, /^ {2}2 {2}[0-9a-f]{12} +\d+ B {2}local {4}RUN apt-get update && make$/m);
  assert.match(text, /^History\n {2}CMD \["bash"\]$/m);
  const squashed = relabelled({ history: history.slice(0, 2) });
  const steps = (await inspect(denroot, squashed)).History as { Layer?: number }[];
  assert.deepEqual(steps.map(({ Layer }) => Layer), [undefined, undefined]);
});

test("the output fits 80 columns, and text of the image stays in its line", async () => {
  const { stdout } = await denroot.succeed(["inspect", `oci:${layout}:plain`]);
  assert.deepEqual(stdout.split("\n").filter((line) => line.length > 80), []);
  // deno-lint-ignore no-control-regex -- it is what must not be there
  assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  for (
    const line of [
      /^Platform linux\/\w+$/m,
      /^Created {2}2024-01-02 03:04:05 UTC$/m,
      /^ {2}User {9}1000:1000$/m,
      /^ {2}Entrypoint {3}\/bin\/app "an argument"$/m,
      /^ {2}Ports {8}80\/tcp, 443\/tcp$/m,
      /^ {2}GREETING=Grüße \\u\{1b\}\[31m$/m,
      /^ {2}org\.example\.a = x+\.\.\.$/m,
      /^ {2}org\.example\.b = line\\u\{a\}line$/m,
    ]
  ) assert.match(stdout, line);
});

test("the estimated size is near the real size", async () => {
  const home = useDenroot();
  const system = join(scratch, "system");
  // Every Debian has these files.
  const tar = await runProgram("sh", ["-c", "tar -C / -cf - usr/lib/*/perl-base usr/bin/*sum"], {
    cwd: "/",
  });
  const { directory } = writeImage(system, { layers: [{ tar: tar.stdoutBytes }] });
  const guess = (await inspect(home, `oci:${directory}`)).EstimatedImageBytes as number;
  const bytes = statSync(await home.import(`oci:${directory}`)).size;
  assert.ok(guess > bytes / 2 && guess < bytes * 2, `${guess} for ${bytes}`);
});

test("a configuration with a wrong digest is refused", async () => {
  const broken = join(scratch, "broken");
  const { config } = writeImage(broken, { layers: [[file("a", "a")]] });
  const path = blobPath(broken, config.digest);
  writeFileSync(path, readFileSync(path, "utf8").replace("a fixture", "a fiction"));
  const result = await denroot.run(["inspect", `oci:${broken}`]);
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /configuration has the digest sha256:\w+ instead of sha256:\w+/);
  appendFileSync(path, " ");
  const longer = await denroot.run(["inspect", `oci:${broken}`]);
  assert.match(longer.stderr, /has \d+ bytes instead of \d+/);
  const odd = await denroot.run(["inspect", relabelled({ history: [{ created_by: 1 }] })]);
  assert.match(odd.stderr, /history entry 1 is invalid: "created_by" must be a string/);
  assert.equal(odd.stdout, "");
});

/** Writes an image with the layers of `plain` and another configuration; gives its URI. */
function relabelled(changes: Readonly<Record<string, unknown>>): string {
  const config = { ...JSON.parse(image.config.bytes.toString("utf8")), ...changes };
  const manifest = JSON.parse(image.manifest.bytes.toString("utf8"));
  const configBlob = jsonBlob(manifest.config.mediaType, config);
  const { digest, size } = configBlob;
  const blob = jsonBlob(image.manifest.mediaType, {
    ...manifest,
    config: { ...manifest.config, digest, size },
  });
  for (const one of [configBlob, blob]) writeBlob(layout, one);
  assert.equal(digestOf(blob.bytes), blob.digest);
  return `oci:${layout}@${blob.digest}`;
}

function storedBytes({ layers, config }: Image): number {
  return [...layers, config].reduce((sum, { size }) => sum + size, 0);
}

async function inspect(
  denroot: Denroot,
  uri: string,
  ...options: string[]
): Promise<Record<string, unknown>> {
  return JSON.parse((await denroot.succeed(["inspect", "--json", ...options, uri])).stdout);
}

async function skopeo(command: string, uri: string): Promise<Record<string, unknown>> {
  return JSON.parse((await skopeoBytes(command, uri)).toString("utf8"));
}

async function skopeoBytes(command: string, ...args: string[]): Promise<Buffer> {
  return (await runProgram("skopeo", [command, "--tls-verify=false", ...args])).stdoutBytes;
}
