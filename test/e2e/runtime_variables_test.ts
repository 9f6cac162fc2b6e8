/** Variables that a runtime reads by itself: none makes denroot trust a server, or do other work. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import { join } from "node:path";
import { makeServerCertificate } from "../helpers/certificates.ts";
import {
  bun,
  deno,
  Denroot,
  releasedDenroot,
  testOneRuntime,
  testRuntimes,
} from "../helpers/denroot_command.ts";
import { startFakeRegistry } from "../helpers/fake_registry.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { manifestAnswer } from "../transport/registry/registry_fixture.ts";

const scratch = scratchDirectory("runtime-variables");
const trusted = await makeServerCertificate(join(scratch, "trusted"));
const stranger = await makeServerCertificate(join(scratch, "stranger"));
const read = (path: string) => readFileSync(path, "utf8");
const good = { cert: read(trusted.certFile), key: read(trusted.keyFile) };
const bad = { cert: read(stranger.certFile), key: read(stranger.keyFile) };

const bundle = join(scratch, "both.pem");
writeFileSync(bundle, read(trusted.caFile) + read(stranger.caFile));
const preload = join(scratch, "preload.mjs");
writeFileSync(preload, "console.log('PRELOADED');");
const openssl = join(scratch, "openssl.cnf");
writeFileSync(
  openssl,
  "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nVerifyMode = None\n",
);

/** Each of these would weaken some program of the same runtime or library. */
const VARIABLES: Readonly<Record<string, string>> = {
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
  NODE_EXTRA_CA_CERTS: stranger.caFile,
  NODE_USE_SYSTEM_CA: "0",
  NODE_OPTIONS: `--import=${preload} --use-openssl-ca`,
  NODE_USE_ENV_PROXY: "1",
  DENO_TLS_CA_STORE: "mozilla",
  DENO_CERT: stranger.caFile,
  BUN_CONFIG_NO_VERIFY: "1",
  BUN_CONFIG_VERBOSE_FETCH: "curl",
  OPENSSL_CONF: openssl,
  SSLKEYLOGFILE: join(scratch, "keys"),
  GIT_SSL_NO_VERIFY: "1",
};

/** TLS is on, and one of the two authorities is trusted. */
const SETTINGS = {
  ENROOT_ALLOW_HTTP: undefined,
  ENROOT_TRANSFER_RETRIES: "0",
  SSL_CERT_FILE: trusted.caFile,
};

interface Kind {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Requests that got to, or past, a server that shows a stranger's certificate. */
  readonly leaked: () => number;
}

type Start = (use: (kind: Kind) => Promise<void>) => Promise<void>;

/** Every connection that denroot makes with TLS. */
const KINDS: Readonly<Record<string, Start>> = {
  "a registry": async (use) => {
    await using server = await startFakeRegistry(() => manifestAnswer(), { tls: bad });
    await use({ args: inspect(server.host), leaked: () => server.requests.length });
  },
  "a token service": async (use) => {
    await using service = await startFakeRegistry(() => ({ body: '{"token":"t"}' }), { tls: bad });
    const challenge = `Bearer realm="${service.origin}/token",service="s"`;
    await using server = await startFakeRegistry(
      ({ headers }) =>
        headers["authorization"] === undefined
          ? { status: 401, headers: { "www-authenticate": challenge } }
          : manifestAnswer(),
      { tls: good },
    );
    await use({ args: inspect(server.host), leaked: () => service.requests.length });
  },
  "the target of a redirect": async (use) => {
    await using storage = await startFakeRegistry(() => manifestAnswer(), { tls: bad });
    const answer = { status: 307, headers: { location: `${storage.origin}/elsewhere` } };
    await using server = await startFakeRegistry(() => answer, { tls: good });
    await use({ args: inspect(server.host), leaked: () => storage.requests.length });
  },
  "a registry behind a proxy": async (use) => {
    await using server = await startFakeRegistry(() => manifestAnswer(), { tls: bad });
    await using proxy = await startTunnel();
    const env = { https_proxy: `http://127.0.0.1:${proxy.port}` };
    await use({ args: inspect(server.host), env, leaked: () => server.requests.length });
  },
  "a proxy with TLS": async (use) => {
    await using server = await startFakeRegistry(() => manifestAnswer(), { tls: good });
    await using proxy = await startTunnel(bad);
    const env = { https_proxy: `https://localhost:${proxy.port}` };
    await use({ args: inspect(server.host), env, leaked: () => server.requests.length });
  },
  "a Docker daemon": async (use) => {
    await using daemon = await startFakeRegistry(
      ({ line }) => ({
        headers: { "api-version": "1.41" },
        body: line.includes("_ping") ? "OK" : JSON.stringify({ Id: "none" }),
      }),
      { tls: bad },
    );
    const env = { DOCKER_HOST: `tcp://${daemon.host}`, DOCKER_TLS_VERIFY: "1" };
    const leaked = () => daemon.requests.length;
    await use({ args: ["inspect", "dockerd://team/app"], env, leaked });
  },
};

function inspect(host: string): readonly string[] {
  return ["inspect", "--raw", `docker://${host}/team/app:latest`];
}

/** A proxy that knows CONNECT alone. */
async function startTunnel(tls?: { readonly cert: string; readonly key: string }) {
  const server = tls ? https.createServer(tls) : http.createServer();
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("tlsClientError", () => {});
  server.on("connect", (request, socket, head) => {
    const [host, port] = request.url!.split(":");
    const upstream = net.connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) end.on("error", () => upstream.destroy());
    sockets.add(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Bun itself adds these authorities for a proxy. The executable is made deaf to the variable. */
function exception(kind: string, { runtime }: Denroot): Record<string, undefined> {
  const isException = kind === "a proxy with TLS" && runtime === bun;
  return isException ? { NODE_EXTRA_CA_CERTS: undefined } : {};
}

for (const [name, start] of Object.entries(KINDS)) {
  testRuntimes(
    [releasedDenroot(), deno, bun],
    `no variable makes ${name} trusted`,
    (denroot) =>
      start(async ({ args, env, leaked }) => {
        const hostile = { ...SETTINGS, ...env, ...VARIABLES, ...exception(name, denroot) };
        const { exitCode, stderr, stdout } = await denroot.run(args, { env: hostile });
        assert.match(stderr, /not trusted|certificate/);
        assert.doesNotMatch(stdout + stderr, /PRELOADED|Warning/);
        assert.equal(exitCode, 1);
        assert.equal(leaked(), 0);
        // The same servers are fine when the user trusts the authority.
        await denroot.run(args, {
          env: { ...hostile, SSL_CERT_FILE: bundle },
        });
        assert.ok(leaked() > 0);
      }),
  );
}

for (const [name, value] of Object.entries(VARIABLES)) {
  testRuntimes(
    [releasedDenroot(), deno],
    `${name} trusts no registry`,
    (denroot) =>
      KINDS["a registry"]!(async ({ args, leaked }) => {
        const { exitCode, stderr } = await denroot.run(args, {
          env: { ...SETTINGS, [name]: value },
        });
        assert.match(stderr, /not trusted/);
        assert.equal(exitCode, 1);
        assert.equal(leaked(), 0);
      }),
  );
}

testOneRuntime("no variable of Bun's runs other code or opens a port", async (denroot) => {
  const directory = join(denroot.work, "bait");
  mkdirSync(directory);
  writeFileSync(join(directory, "bunfig.toml"), `preload = ["${preload}"]\n`);
  writeFileSync(join(directory, ".env"), "ENROOT_CACHE_PATH=/from/dotenv\n");
  const env = {
    BUN_OPTIONS: `--preload=${preload}`,
    BUN_BE_BUN: "1",
    BUN_INSPECT: "ws://127.0.0.1:0/denroot",
    BUN_INSPECT_PRELOAD: preload,
    BUN_CONFIG_FILE: join(directory, "bunfig.toml"),
  };
  const { stdout, stderr } = await denroot.succeed(["info"], { env, cwd: directory });
  assert.match(stdout, /ENROOT_CACHE_PATH/);
  assert.doesNotMatch(stdout + stderr, /PRELOADED|from\/dotenv|Inspector|ws:/);
});
