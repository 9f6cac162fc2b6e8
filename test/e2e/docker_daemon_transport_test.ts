/** `dockerd://` and `docker-daemon:` with a real Docker daemon, over every kind of connection. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeServerCertificate } from "../helpers/certificates.ts";
import {
  type Denroot,
  readableDenroot,
  testEachRuntime,
  testOneRuntime,
  useDenroot,
} from "../helpers/denroot_command.ts";
import { type DockerDaemon, startDockerDaemon } from "../helpers/docker_daemon.ts";
import { type Image, writeImage } from "../helpers/image_fixture.ts";
import { assertSameTree } from "../helpers/layer_case.ts";
import { asNobody } from "../helpers/other_user.ts";
import { findProgram, runProgram, startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { type SocketRelay, startSocketRelay } from "../helpers/socket_relay.ts";
import { directory, file, link, opaque, whiteout } from "../helpers/tar_fixture.ts";
import { listImage, readFromImage, type Tree } from "../helpers/tree_listing.ts";

const SOURCE_DATE_EPOCH = "1700000000";
const NAME = "n/app:v1";
const READING = /Reading the image from/;

const scratch = scratchDirectory("dockerd");
const oracle = useDenroot();
let docker: DockerDaemon;
let relay: SocketRelay;
let image: Image;
let expected: Tree;
/** The settings for each kind of connection. */
let ways: Readonly<Record<string, Readonly<Record<string, string>>>>;

const layers = [
  [
    directory("usr"),
    directory("usr/d"),
    file("usr/d/old", "1"),
    // This is more than the sockets' buffers hold.
    file("usr/a", randomBytes(6_000_000).toString("latin1")),
    link("usr/b", "usr/a"),
  ],
  [whiteout("usr/a"), directory("usr/d"), opaque("usr/d"), file("usr/d/new", "2")],
  [link("usr/c", "usr/b"), file("motd", "hello\n")],
];

before(async () => {
  image = writeImage(join(scratch, "layout"), { layers, config: { Env: ["A=b"] } });
  expected = await listImage(
    await oracle.import(`oci:${image.directory}:latest`, { env: { SOURCE_DATE_EPOCH } }),
  );
  const { caFile, certFile, keyFile } = await makeServerCertificate(join(scratch, "tls"));
  const port = await freePort();
  docker = await startDockerDaemon([
    `--host=tcp://127.0.0.1:${port}`,
    "--tlsverify",
    `--tlscacert=${caFile}`,
    `--tlscert=${certFile}`,
    `--tlskey=${keyFile}`,
  ]);
  await docker.load(image, NAME);
  relay = await startSocketRelay(docker.socket);

  // The name "localhost" is in the server's certificate, and so is the address.
  const url = `tcp://127.0.0.1:${port}`;
  const certificates = join(scratch, "certificates");
  mkdirSync(certificates);
  copyFileSync(caFile, join(certificates, "ca.pem"));
  copyFileSync(certFile, join(certificates, "cert.pem"));
  copyFileSync(keyFile, join(certificates, "key.pem"));

  const config = join(scratch, "config");
  const files = `ca=${caFile},cert=${certFile},key=${keyFile}`;
  const withConfig = { env: { ...process.env, DOCKER_CONFIG: config } };
  const create = ["context", "create", "far", "--docker", `host=${url},${files}`];
  await runProgram("docker", create, withConfig);
  await runProgram("docker", ["context", "use", "far"], withConfig);

  const programs = join(scratch, "programs");
  mkdirSync(programs);
  const script = `#!/bin/sh\nexec '${findProgram("docker")}' -H 'unix://${docker.socket}' "$@"\n`;
  writeFileSync(join(programs, "docker"), script, { mode: 0o755 });

  const runtimeDirectory = join(scratch, "run");
  mkdirSync(runtimeDirectory);
  symlinkSync(docker.socket, join(runtimeDirectory, "docker.sock"));
  ways = {
    "its socket": { DOCKER_HOST: `unix://${docker.socket}` },
    "plain TCP": { DOCKER_HOST: relay.url },
    "TLS": { DOCKER_HOST: url, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certificates },
    "the current context": { DOCKER_CONFIG: config },
    "a context by its name": {
      DOCKER_CONTEXT: "far",
      DOCKER_CONFIG: config,
      // Proxies must not be used.
      http_proxy: "http://127.0.0.1:9",
      https_proxy: "http://127.0.0.1:9",
    },
    "the docker program": {
      DOCKER_HOST: `unix://${scratch}/none.sock`,
      PATH: `${programs}:${process.env.PATH}:/usr/sbin:/sbin`,
    },
    // Root's own socket comes before those of rootless daemons.
    ...(existsSync("/var/run/docker.sock")
      ? {}
      : { "a rootless daemon's socket": { XDG_RUNTIME_DIR: runtimeDirectory } }),
  };
});

after(async () => {
  relay?.close();
  await docker?.stop();
});

testEachRuntime("every way to the daemon gives the same bytes", async (denroot) => {
  let first: Buffer | undefined;
  for (const [way, env] of Object.entries(ways)) {
    const output = join(denroot.work, `${way}.sqsh`);
    const cache = join(denroot.home, way);
    const result = await denroot.succeed(["import", "-o", output, `dockerd://${NAME}`], {
      env: { ...env, SOURCE_DATE_EPOCH, ENROOT_CACHE_PATH: cache },
    });
    assert.match(result.stderr, READING, way);
    assert.deepEqual(readdirSync(join(cache, "ingest")), [], way);
    first ??= readFileSync(output);
    assert.ok(first.equals(readFileSync(output)), way);
    if (way !== "its socket") continue;
    assertSameTree(await listImage(output), expected, { without: [".enroot"] });
    assert.equal(await readFromImage(output, ".enroot/source"), `uri=dockerd://${NAME}\n`);
  }
  assert.deepEqual(denroot.leftovers().filter((path) => !path.endsWith(".sqsh")), []);
});

testOneRuntime("blobs in the cache are not sent again", async (denroot) => {
  const env = ways["its socket"];
  const digest = async (uri: string) => await denroot.succeed(["digest", uri], { env });
  const first = await digest(`dockerd://${NAME}`);
  assert.match(first.stderr, READING);
  const again = await digest(`dockerd://${NAME}`);
  assert.doesNotMatch(again.stderr, READING);
  assert.equal(again.stdout, first.stdout);
  assert.equal(first.stdout.trim(), await skopeoDigest(NAME));

  const id = image.config.digest;
  assert.equal((await digest(`docker-daemon:${id}`)).stdout, first.stdout);
  await denroot.succeed(["import", `docker-daemon:${NAME}`], { env });
  assert.deepEqual(denroot.leftovers(), [join(denroot.work, "n+app+v1.sqsh")]);
});

testOneRuntime("a damaged copy in the cache is thrown away", async (denroot) => {
  const env = ways["its socket"];
  const run = () => denroot.run(["import", "--force", `dockerd://${NAME}`], { env });
  assert.equal((await run()).exitCode, 0);
  const blobs = join(denroot.cache, "blobs/sha256");
  const largest = readdirSync(blobs).map((name) => join(blobs, name))
    .find((path) => statSync(path).size > 5_000_000)!;
  const bytes = readFileSync(largest);
  bytes[3_000_000]! ^= 1;
  writeFileSync(largest, bytes);
  const damaged = await run();
  assert.equal(damaged.exitCode, 1);
  assert.match(damaged.stderr, /no longer in the cache: it was damaged.*\n.*Try again/);
  const again = await run();
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stderr, READING);
});

testOneRuntime("an image, a daemon or a context that is not there", async (denroot) => {
  const fails = async (args: readonly string[], env: Record<string, string>, error: RegExp) => {
    const result = await denroot.run(args, { env });
    assert.match(result.stderr, error);
    assert.equal(result.exitCode, 1);
    assert.equal(result.stdout, "");
  };
  const [socket, plain] = [ways["its socket"]!, ways["plain TCP"]!];
  await fails(
    ["digest", "dockerd://n/none"],
    socket,
    /There is no image "n\/none".*No such image: n\/none:latest\n.*docker pull/,
  );
  await fails(["digest", "dockerd://n/none"], plain, /There is no image "n\/none": The engine at/);
  await fails(
    ["digest", "dockerd://n/none"],
    ways["the docker program"]!,
    /There is no image "n\/none": docker says: .*[Nn]o such image/,
  );
  const nowhere = { DOCKER_HOST: "unix:///nowhere.sock" };
  await fails(
    ["digest", `dockerd://${NAME}`],
    nowhere,
    /No Docker daemon answers at unix:\/\/\/nowhere\.sock \(there is no such socket\); .*docker says.*\n.*DOCKER_HOST/,
  );
  await fails(
    ["digest", `dockerd://${NAME}`],
    { ...nowhere, PATH: "/nowhere" },
    /\(there is no such socket\); the program docker was not found\n/,
  );
  await fails(
    ["digest", `dockerd://${NAME}`],
    { DOCKER_CONTEXT: "none" },
    /There is no Docker context "none"/,
  );
  const { DOCKER_HOST, DOCKER_CERT_PATH } = ways["TLS"]!;
  await fails(
    ["digest", `dockerd://${NAME}`],
    { DOCKER_HOST: DOCKER_HOST!, PATH: "/nowhere" },
    /No Docker daemon answers at tcp:.*HTTP request to an HTTPS server/,
  );
  const ca = { DOCKER_HOST: DOCKER_HOST!, DOCKER_TLS_VERIFY: "1", PATH: "/nowhere" };
  await fails(["digest", `dockerd://${NAME}`], ca, /No Docker daemon answers at tcp:/);
  assert.ok(existsSync(DOCKER_CERT_PATH!));
});

testOneRuntime("an image of another architecture than --arch names is refused", async (denroot) => {
  const args = ["import", "--arch", "s390x", `dockerd://${NAME}`];
  const { exitCode, stderr } = await denroot.run(args, { env: ways["its socket"] });
  assert.equal(exitCode, 1);
  assert.match(stderr, /The image is for linux\/\w+, not for linux\/s390x\n.*Without --arch/);
});

for (const fault of ["cut", "stall"] as const) {
  testEachRuntime(
    `nothing is left of a stream that ends in the middle: ${fault}`,
    async (denroot) => {
      let happened = false;
      const broken = await startSocketRelay(docker.socket, {
        after: 4_000_000,
        fault,
        onFault: () => happened = true,
      });
      try {
        const running = denroot.start(["import", `dockerd://${NAME}`], {
          env: { DOCKER_HOST: broken.url },
        });
        await waitUntil("the fault", () => happened);
        if (fault === "stall") running.child.kill("SIGINT");
        const result = await running.done;
        assert.equal(result.exitCode, fault === "stall" ? 130 : 1, result.stderr);
        assert.match(
          result.stderr,
          fault === "stall" ? /Interrupted/ : /closed the connection during the transfer/,
        );
        assert.deepEqual(denroot.leftovers(), []);
        assert.deepEqual(denroot.unfinishedBlobs(), []);
        await waitUntil("the connection is closed", () => broken.connections() === 0);
      } finally {
        broken.close();
      }
    },
  );
}

test("a socket that this user may not use", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root, to become another user");
  const { command } = readableDenroot(scratch);
  chmodSync(oracle.home, 0o755);
  const { stderr } = await startAs(oracle, [...asNobody, ...command], {
    DOCKER_HOST: `unix://${docker.socket}`,
    ENROOT_CACHE_PATH: "/nowhere",
  });
  assert.match(stderr, /\(permission denied\); the program docker says.*\n.*the group docker/);
});

async function startAs(denroot: Denroot, command: readonly string[], env: Record<string, string>) {
  const [program, ...args] = command;
  return await startProgram(program!, [...args, "digest", `dockerd://${NAME}`], {
    cwd: "/",
    env: { ...denroot.environment(), ...env },
  }).done;
}

async function skopeoDigest(name: string): Promise<string> {
  const { stdout } = await runProgram("skopeo", [
    ...["inspect", "--daemon-host", `unix://${docker.socket}`, "--format", "{{.Digest}}"],
    `docker-daemon:${name}`,
  ]);
  return stdout.trim();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" ? address!.port : 0;
}
