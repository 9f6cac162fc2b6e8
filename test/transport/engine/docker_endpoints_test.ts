/** Tests of finding the daemon, with contexts that the real program `docker` wrote. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { dockerEndpoints } from "../../../lib/transport/engine/docker_endpoints.ts";
import { formatEndpoint, parseEndpoint } from "../../../lib/transport/engine/endpoint.ts";
import { podmanEndpoints } from "../../../lib/transport/engine/podman.ts";
import { makeServerCertificate } from "../../helpers/certificates.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const home = scratchDirectory("endpoints");
const config = join(home, ".docker");

beforeEach(() => {
  rmSync(home, { recursive: true });
  mkdirSync(config, { recursive: true });
});

async function shown(env: Record<string, string>): Promise<string[]> {
  return (await dockerEndpoints({ HOME: home, ...env })).map(formatEndpoint);
}

async function docker(...args: string[]): Promise<void> {
  await runProgram("docker", args, { env: { PATH: process.env.PATH, DOCKER_CONFIG: config } });
}

test("DOCKER_HOST is parsed as Docker parses it", () => {
  const good: Readonly<Record<string, string>> = {
    "unix:///run/x.sock": "unix:///run/x.sock",
    "tcp://10.0.0.1:2376": "tcp://10.0.0.1:2376",
    "tcp://build.example": "tcp://build.example:2375",
    "10.0.0.1:99": "tcp://10.0.0.1:99",
    "tcp://[::1]:2375": "tcp://[::1]:2375",
    "tcp://:2375/": "tcp://localhost:2375",
    "ssh://user:secret@host": "ssh://***@host",
  };
  for (const [text, expected] of Object.entries(good)) {
    assert.equal(formatEndpoint(parseEndpoint(text, "DOCKER_HOST")), expected);
  }
  const withUser = ["tcp://me@h:2375", "me@h", "tcp://me:secret@h:2375", "tcp://a/b:secret@h"];
  for (const text of withUser) {
    assert.throws(() => parseEndpoint(text, "DOCKER_HOST"), (error: Error) => {
      assert.match(
        error.message,
        /^DOCKER_HOST has the invalid address "(?:tcp:\/\/)?\*\*\*@h(?::2375)?": only ssh/,
      );
      return true;
    }, text);
  }
  const bad = ["unix://run/x.sock", "npipe:////./pipe/x", "fd://", "tcp://h:0", "tcp://h:70000"];
  for (const text of [...bad, "http://h:1", "tcp://a b", "tcp://h/path"]) {
    assert.throws(() => parseEndpoint(text, "DOCKER_HOST"), { code: "settings" }, text);
  }
  assert.throws(() => parseEndpoint("http://u:secret@h", "DOCKER_HOST"), (error: Error) => {
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test("the environment comes before contexts, and contexts before the standard sockets", async () => {
  const standard = [
    "unix:///var/run/docker.sock",
    "unix:///run/user/7/docker.sock",
    `unix://${config}/run/docker.sock`,
  ];
  const env = { XDG_RUNTIME_DIR: "/run/user/7" };
  assert.deepEqual(await shown(env), standard);
  await docker("context", "create", "far", "--docker", "host=tcp://10.0.0.1:2375");
  await docker("context", "create", "near", "--docker", "host=unix:///run/near.sock");
  assert.deepEqual(await shown(env), standard);
  await docker("context", "use", "far");
  assert.deepEqual(await shown(env), ["tcp://10.0.0.1:2375"]);
  assert.deepEqual(await shown({ DOCKER_CONTEXT: "near" }), ["unix:///run/near.sock"]);
  assert.deepEqual(await shown({ ...env, DOCKER_CONTEXT: "default" }), standard);
  assert.deepEqual(await shown({ DOCKER_CONFIG: "/nowhere" }), [
    "unix:///var/run/docker.sock",
    standard[2],
  ]);
  assert.deepEqual(
    await shown({ DOCKER_HOST: "unix:///run/x.sock", DOCKER_CONTEXT: "near" }),
    ["unix:///run/x.sock"],
  );
  await assert.rejects(shown({ DOCKER_CONTEXT: "none" }), {
    code: "settings",
    message: 'There is no Docker context "none"',
  });
});

test("certificates come from the directory in DOCKER_CERT_PATH, or from the context", async () => {
  const directory = join(home, "certificates");
  mkdirSync(directory);
  const { caFile } = await makeServerCertificate(join(home, "made"));
  const ca = readFileSync(caFile, "utf8");
  const material = { ca, cert: "cert", key: "key" };
  for (const [name, text] of Object.entries(material)) {
    writeFileSync(join(directory, `${name}.pem`), text);
  }
  const env = { HOME: home, DOCKER_HOST: "tcp://h:1", DOCKER_CERT_PATH: directory };
  const tls = async (more: Record<string, string>) => {
    const [endpoint] = await dockerEndpoints({ ...env, ...more });
    return endpoint?.type === "tcp" ? endpoint.tls : undefined;
  };
  assert.equal(await tls({}), undefined);
  assert.deepEqual(await tls({ DOCKER_TLS_VERIFY: "1" }), { ...material, verify: true });
  assert.deepEqual(await tls({ DOCKER_TLS: "1" }), { ...material, verify: false });

  const host = `host=tcp://10.0.0.1:2376,ca=${caFile}`;
  await docker("context", "create", "safe", "--docker", host);
  await docker("context", "create", "lax", "--docker", `${host},skip-tls-verify=true`);
  const named = { DOCKER_HOST: "" };
  assert.deepEqual(await tls({ ...named, DOCKER_CONTEXT: "safe" }), { ca, verify: true });
  assert.deepEqual(await tls({ ...named, DOCKER_CONTEXT: "lax" }), { ca, verify: false });
});

test("a broken configuration of Docker's gives an error with code settings", async () => {
  const file = join(config, "config.json");
  writeFileSync(file, "{");
  await assert.rejects(shown({}), { code: "settings" });
  rmSync(file);
  mkdirSync(file);
  await assert.rejects(shown({}), { code: "settings" });
});

test("podman's service is looked for at the user's socket, and for root at the system's too", () => {
  const sockets = (env: Record<string, string>, id: number) =>
    podmanEndpoints(env, id).map(formatEndpoint);
  const system = "unix:///run/podman/podman.sock";
  const runtime = { XDG_RUNTIME_DIR: "/run/user/7" };
  assert.deepEqual(sockets(runtime, 7), ["unix:///run/user/7/podman/podman.sock"]);
  assert.deepEqual(sockets({}, 7), ["unix:///run/user/7/podman/podman.sock"]);
  assert.deepEqual(sockets({}, 0), [system]);
  assert.deepEqual(sockets(runtime, 0), ["unix:///run/user/7/podman/podman.sock", system]);
  assert.deepEqual(sockets({ ...runtime, CONTAINER_HOST: "tcp://h:1" }, 0), ["tcp://h:1"]);
});
