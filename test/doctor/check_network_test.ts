/** The findings about proxies, certificates, registries.conf and credentials. */

import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { checkNetwork } from "../../lib/doctor/check_network.ts";
import { makeServerCertificate } from "../helpers/certificates.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { troubles } from "./machine_fixture.ts";

const scratch = scratchDirectory("check-network");
const netrc = join(scratch, "config/enroot/.credentials");

beforeEach(() => {
  rmSync(scratch, { recursive: true });
  mkdirSync(join(scratch, "config/enroot"), { recursive: true });
  mkdirSync(join(scratch, "docker"));
});

async function check(env: Readonly<Record<string, string>> = {}) {
  const settings = await loadSettings({
    HOME: scratch,
    XDG_CONFIG_HOME: join(scratch, "config"),
    DOCKER_CONFIG: join(scratch, "docker"),
    ENROOT_SYSCONF_PATH: "/nonexistent",
    ...env,
  });
  return await checkNetwork(settings);
}

test("no settings at all are fine, and the report says where credentials go", async () => {
  const findings = await check();
  assert.deepEqual(troubles(findings), [
    "note Credentials: none: only public images can be fetched",
  ]);
  assert.ok(findings.at(-1)?.remedy?.includes(netrc));
});

test("proxies are shown with their origin, never with a password", async () => {
  const findings = await check({
    https_proxy: "http://me:secret@proxy.example:3128",
    no_proxy: "localhost,10.0.0.0/8",
  });
  assert.deepEqual(troubles(findings).slice(0, 2), [
    "note Proxy: https_proxy = http://***@proxy.example:3128 (environment)",
    "note Proxy: no_proxy = localhost,10.0.0.0/8 (environment)",
  ]);
  assert.doesNotMatch(JSON.stringify(findings), /secret/);
});

test("a proxy that is not a URL is an error", async () => {
  const found = troubles(await check({ https_proxy: "socks5://me:secret@proxy" }));
  assert.equal(
    found[0],
    "error Proxy: https_proxy (or HTTPS_PROXY) names a proxy of the kind socks5, not HTTP",
  );
  assert.doesNotMatch(found.join("\n"), /secret/);
});

test("a certificate file must be there and hold certificates", async () => {
  const { caFile } = await makeServerCertificate(join(scratch, "tls"));
  assert.deepEqual(troubles(await check({ SSL_CERT_FILE: caFile })).length, 1);
  const empty = join(scratch, "empty.pem");
  writeFileSync(empty, "nothing\n");
  assert.match(
    troubles(await check({ SSL_CERT_FILE: empty }))[0]!,
    /^error Certificates: .*holds no certificate$/,
  );
  assert.match(
    troubles(await check({ SSL_CERT_FILE: join(scratch, "none.pem") }))[0]!,
    /^error Certificates: SSL_CERT_FILE .* cannot be read/,
  );
  const damaged = join(scratch, "damaged.pem");
  writeFileSync(damaged, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  assert.match(
    troubles(await check({ SSL_CERT_FILE: damaged }))[0]!,
    /^error Certificates: SSL_CERT_FILE .* holds a damaged certificate$/,
  );
  const mixed = join(scratch, "mixed");
  mkdirSync(mixed);
  for (const path of [caFile, damaged]) cpSync(path, join(mixed, basename(path)));
  assert.deepEqual(troubles(await check({ SSL_CERT_DIR: mixed })).length, 1);
  assert.match(
    troubles(await check({ SSL_CERT_DIR: join(scratch, "no-directory") }))[0]!,
    /^warning Certificates: SSL_CERT_DIR .* is not a directory$/,
  );
});

test("a registries.conf that cannot be used is an error with file and line", async () => {
  const path = join(scratch, "registries.conf");
  writeFileSync(path, '[[registry]]\nlocation = "a.example"\nblocked = "yes"\n');
  const findings = await check({ CONTAINERS_REGISTRIES_CONF: path });
  assert.equal(
    troubles(findings)[0],
    `error registries.conf: ${path}, line 3: blocked must be true or false`,
  );
  assert.ok(findings.find(({ status }) => status === "error")?.remedy);
});

test("credentials files are counted, and must be private and whole", async () => {
  writeFileSync(netrc, "machine a login b password secret\nmachine c login d password secret\n");
  chmodSync(netrc, 0o600);
  const docker = join(scratch, "docker/config.json");
  writeFileSync(docker, JSON.stringify({ auths: { "r.example": {} }, credsStore: "pass" }));
  chmodSync(docker, 0o644);
  const findings = await check();
  const shown = findings.filter(({ subject }) => subject === "Credentials")
    .map(({ status, message }) => `${status} ${message}`);
  assert.deepEqual(shown, [
    `ok ${netrc}: 2 entries`,
    `warning ${docker}: 0 entries, 1 helper; other users can read it`,
  ]);
  assert.equal(findings.at(-1)?.remedy, `Run: chmod 600 ${docker}`);
  writeFileSync(docker, "{secret");
  const broken = await check();
  assert.match(troubles(broken)[0]!, /^error Credentials: .*it is not JSON$/);
  assert.doesNotMatch(JSON.stringify([findings, broken]), /secret/);
});
