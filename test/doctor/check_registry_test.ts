/** Registries that can and cannot be reached. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Settings } from "../../lib/config/settings.ts";
import { checkRegistries, parseRegistry } from "../../lib/doctor/check_registries.ts";
import { makeServerCertificate } from "../helpers/certificates.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { isError, makeSettings, NEVER } from "../transport/registry/registry_fixture.ts";
import { registriesConf, withMirrors } from "../transport/registry/mirrors/mirrors_fixture.ts";
import { troubles } from "./machine_fixture.ts";

const scratch = scratchDirectory("check-registry");
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.closeAllConnections(), server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function check(registry: string, settings: Partial<Settings> = {}, nowMs = Date.now()) {
  const clock = { nowMs: () => nowMs };
  return await checkRegistries([parseRegistry(registry)], makeSettings(settings), clock, NEVER);
}

async function answering(listener: RequestListener): Promise<string> {
  return `127.0.0.1:${await listen(createServer(listener))}`;
}

test("a registry is named by its host, or by an image in it", () => {
  for (
    const [text, registry] of [
      ["nvcr.io", "nvcr.io"],
      ["localhost:5000", "localhost:5000"],
      ["[::1]:5000", "[::1]:5000"],
      ["docker.io", "registry-1.docker.io"],
      ["docker://nvcr.io#nvidia/pytorch:25.06-py3", "nvcr.io"],
      ["docker://me@ghcr.io/a/b", "ghcr.io"],
      ["docker://alpine", "registry-1.docker.io"],
      ["nvcr.io/", "nvcr.io"],
      ["nvcr.io/nvidia/pytorch:25.06-py3", "nvcr.io"],
    ]
  ) {
    assert.equal(parseRegistry(text!).registry, registry);
  }
});

test("what names no registry is refused with the words that the user typed", () => {
  const wrong = ["oci:layout", "docker-daemon:a", "./file", "/etc", "-", "bad host", "host:99999"];
  for (const text of [...wrong, "https://nvcr.io", "http://h:5000/v2/", "nvcr.io/UPPER"]) {
    const escaped = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    assert.throws(
      () => parseRegistry(text),
      isError("usage", new RegExp(`^"${escaped}" names no registry$`)),
    );
  }
  assert.throws(() => parseRegistry(""), isError("usage", /^An empty text names no registry$/));
  assert.throws(() => parseRegistry("ftp://x"), isError("unsupported", /ftp/));
  assert.throws(() => parseRegistry("me:secret@h"), (error: Error) => {
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test("an open registry is fine, and plain HTTP is reported as such", async () => {
  const asked: (string | undefined)[] = [];
  const registry = await answering(({ method, url, headers }, response) => {
    asked.push(`${method} ${url}`, headers.authorization);
    response.end("{}");
  });
  const findings = await check(registry);
  assert.deepEqual(troubles(findings), []);
  assert.deepEqual(findings.map(({ group }) => group)[0], `Registry ${registry}`);
  assert.match(findings[0]!.message, /^plain HTTP: everyone/);
  assert.deepEqual(asked, ["GET /v2/", undefined]);
});

test("a registry that wants a login says where its tokens come from", async () => {
  const registry = await answering((_, response) => {
    response.writeHead(401, {
      "WWW-Authenticate": 'Bearer realm="https://auth.example/token",service="x"',
    }).end();
  });
  const findings = await check(registry);
  assert.deepEqual(troubles(findings), []);
  assert.match(
    findings.find(({ subject }) => subject === "Login")!.message,
    /^by tokens from auth\.example;/,
  );
});

for (const status of [403, 404, 429, 503]) {
  test(`status ${status} is a warning with a remedy`, async () => {
    const registry = await answering((_, response) => void response.writeHead(status).end());
    const findings = await check(registry);
    assert.deepEqual(troubles(findings), [`warning Answer: HTTP status ${status} for /v2/`]);
    assert.ok(findings.find(({ subject }) => subject === "Answer")!.remedy);
  });
}

test("a clock that differs from the registry's is reported", async () => {
  const registry = await answering((_, response) => response.end());
  const behind = await check(registry, {}, Date.now() - 3_600_000);
  assert.match(
    troubles(behind)[0]!,
    /^warning Clock: this machine's clock is 3\d{3} seconds behind/,
  );
  const ahead = await check(registry, {}, Date.now() + 3_600_000);
  assert.match(troubles(ahead)[0]!, /^warning Clock: .* seconds ahead of the registry's/);
});

test("a registry that does not listen is an error with a remedy", async () => {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  const findings = await check(`127.0.0.1:${port}`);
  assert.match(troubles(findings)[0]!, /^error Connection: .* failed: it was refused$/);
  assert.ok(findings[0]!.remedy);
});

test("a name that no name server knows is an error, and no connection is tried", async () => {
  const findings = await check("registry.invalid");
  assert.equal(findings.length, 1);
  assert.match(
    troubles(findings)[0]!,
    /^error Name: (the name server does not know it|it cannot be looked up)/,
  );
});

test("a private certificate is trusted only when its authority is named", async () => {
  const { caFile, certFile, keyFile } = await makeServerCertificate(join(scratch, "tls"));
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const port = await listen(createSecureServer(options, (_, response) => response.end()));
  const untrusted = await check(`localhost:${port}`, { allowHttp: false });
  assert.match(
    troubles(untrusted)[0]!,
    /^error Connection: The certificate of localhost:\d+ is not/,
  );
  assert.match(untrusted.at(-1)!.remedy ?? "", /SSL_CERT_FILE/);
  const trusted = await check(`localhost:${port}`, { allowHttp: false, tls: { certFile: caFile } });
  assert.deepEqual(troubles(trusted), []);
  assert.equal(trusted[1]!.message, "HTTPS, the certificate is trusted");
  // An import tries plain HTTP first where that is allowed, and then HTTPS.
  const either = await check(`localhost:${port}`, { tls: { certFile: caFile } });
  assert.equal(either[1]!.message, "HTTPS, the certificate is trusted");
});

test("a proxy looks up the name, and its password is not shown", async () => {
  const asked: (string | undefined)[] = [];
  const proxy = await answering(({ url }, response) => {
    asked.push(url);
    response.end();
  });
  const findings = await check("registry.invalid", {
    proxy: { http: `http://me:secret@${proxy}`, no: "" },
  });
  assert.deepEqual(asked, ["http://registry.invalid/v2/"]);
  assert.deepEqual(troubles(findings), [`note Name: the proxy ${proxy} looks it up`]);
  assert.doesNotMatch(JSON.stringify(findings), /secret/);
});

test("every location that registries.conf has for a registry is checked", async () => {
  const { certFile, keyFile } = await makeServerCertificate(join(scratch, "insecure"));
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const secure = `127.0.0.1:${await listen(
    createSecureServer(options, (_, response) => response.end()),
  )}`;
  const plain = await answering((_, response) => response.end());
  const environment = registriesConf(
    scratch,
    withMirrors("gone.invalid", [
      { host: secure, more: "insecure = true" },
      { host: plain, more: "insecure = true" },
      { host: "closed.invalid" },
    ]) + '[[registry]]\nlocation = "closed.invalid"\nblocked = true\n',
  );
  const findings = await check("gone.invalid", { environment, allowHttp: false });
  const told = (registry: string, subject: string) =>
    findings.filter(({ group }) => group === `Registry ${registry}`)
      .find((finding) => finding.subject === subject);
  assert.equal(told(secure, "Configuration")?.message, "it is a mirror of gone.invalid");
  assert.equal(told(secure, "Connection")?.message, "HTTPS, any certificate is accepted");
  assert.match(told(plain, "Connection")!.message, /^plain HTTP/);
  assert.match(
    findings.filter(({ group }) => group === "Registry closed.invalid")
      .map(({ message }) => message).join("; "),
    /^it is a mirror of gone\.invalid; it is blocked by .*registries\.conf, line \d+: nothing is asked$/,
  );
  // The mirrors are enough.
  assert.equal(told("gone.invalid", "Name")?.status, "warning");
});

test("a registry that is blocked, or cannot be found, is an error", async () => {
  const environment = registriesConf(
    scratch,
    '[[registry]]\nlocation = "a.invalid/team"\nblocked = true\n',
  );
  const findings = await check("docker://a.invalid#team/app", { environment });
  assert.match(troubles(findings).join(), /^error Configuration: a\.invalid\/team\/app is blocked/);
  assert.match(troubles(await check("a.invalid", { environment })).join(), /^error Name/);
});
