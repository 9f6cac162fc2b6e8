/** certs.d: a registry's own authority and client certificate. */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeClientCertificate, makeServerCertificate } from "../helpers/certificates.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serve, WHOLE } from "../transport/registry/mirrors/mirrors_fixture.ts";
import { AMD64, isError, NEVER, open } from "../transport/registry/registry_fixture.ts";
import { resolveImage } from "../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("certs-d");
const tlsFiles = await makeServerCertificate(join(scratch, "tls"));
const client = await makeClientCertificate(join(scratch, "tls"), tlsFiles);
const stranger = await makeClientCertificate(
  join(scratch, "other"),
  await makeServerCertificate(join(scratch, "other")),
);
const read = (path: string) => readFileSync(path, "utf8");
const tls = { cert: read(tlsFiles.certFile), key: read(tlsFiles.keyFile) };
const mutual = { ...tls, ca: read(tlsFiles.caFile), requestCert: true, rejectUnauthorized: true };

/** A home directory with these files (name -> path of the original) in certs.d for `host`. */
function homeWith(host: string, files: Readonly<Record<string, string>>, at = ".config"): string {
  const home = mkdtempSync(join(scratch, "home-"));
  const directory = join(home, at, "containers/certs.d", host);
  mkdirSync(directory, { recursive: true });
  for (const [name, path] of Object.entries(files)) cpSync(path, join(directory, name));
  return home;
}

async function resolve(
  host: string,
  environment: Record<string, string>,
  log: string[] = [],
): Promise<void> {
  const settings = { allowHttp: false, transferRetries: 0, environment };
  await using source = await open(host, { settings, log });
  await resolveImage(source, AMD64, NEVER);
}

const CA = { "ca.crt": tlsFiles.caFile };
const PAIR = { "client.cert": client.certFile, "client.key": client.keyFile };

test("a .crt file makes its authority trusted for that host", async () => {
  await using registry = await serve(WHOLE, { tls });
  await resolve(registry.host, { HOME: homeWith(registry.host, CA) });
});

test("XDG_CONFIG_HOME moves the directory", async () => {
  await using registry = await serve(WHOLE, { tls });
  const home = homeWith(registry.host, CA, "elsewhere");
  await resolve(registry.host, { HOME: "/nonexistent", XDG_CONFIG_HOME: join(home, "elsewhere") });
});

test("no other host's connections trust that authority", async () => {
  await using registry = await serve(WHOLE, { tls });
  await using other = await serve(WHOLE, { tls });
  const environment = { HOME: homeWith(other.host, CA) };
  await assert.rejects(resolve(registry.host, environment), isError("network", /is not trusted/));
  assert.equal(registry.requests.length, 0);
});

test("a host that asks for a client certificate gets it", async () => {
  await using registry = await serve(WHOLE, { tls: mutual });
  await resolve(registry.host, { HOME: homeWith(registry.host, { ...CA, ...PAIR }) });
});

test("the first of two client certificates is used, with a warning", async () => {
  await using registry = await serve(WHOLE, { tls: mutual });
  const files = { ...CA, ...PAIR, "d.cert": stranger.certFile, "d.key": stranger.keyFile };
  const log: string[] = [];
  await resolve(registry.host, { HOME: homeWith(registry.host, files) }, log);
  assert.equal(log.length, 1);
  assert.match(log[0]!, /^warn: .* holds 2 client certificates: only "client\.cert" is used/);
});

test("a client certificate goes to no other host, not even by a redirect", async () => {
  await using storage = await serve(WHOLE, { tls: mutual });
  const path = "/v2/team/app/manifests/latest";
  const redirect = { status: 307, headers: { Location: storage.origin + path } };
  await using registry = await serve({ [path]: redirect }, { tls: mutual });
  const home = homeWith(registry.host, { ...CA, ...PAIR });
  mkdirSync(join(home, ".config/containers/certs.d", storage.host));
  cpSync(tlsFiles.caFile, join(home, ".config/containers/certs.d", storage.host, "ca.crt"));
  await assert.rejects(resolve(registry.host, { HOME: home }), isError("network", /./));
  assert.deepEqual([registry.requests.length, storage.requests.length], [1, 0]);
});

test("a registry that asks for a certificate and gets none is understood", async () => {
  await using registry = await serve(WHOLE, { tls: mutual });
  const environment = { HOME: homeWith(registry.host, CA) };
  await assert.rejects(
    resolve(registry.host, environment),
    isError("network", /refused the client certificate, or asks for one/),
  );
});

const GARBAGE = join(scratch, "garbage");
writeFileSync(GARBAGE, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
const EMPTY = join(scratch, "empty");
writeFileSync(EMPTY, "");

/** [what is wrong, the directory's files, what the message says] */
const BROKEN: readonly (readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  message: RegExp,
])[] = [
  [
    "a certificate without its key",
    { "a.cert": client.certFile },
    /a\.cert".* the \.key file .* is missing/,
  ],
  [
    "a key without its certificate",
    { "a.key": client.keyFile },
    /a\.key".* the \.cert file .* is missing/,
  ],
  [
    "a key of another certificate",
    { "a.cert": client.certFile, "a.key": stranger.keyFile },
    /a\.key".* it is not the key of the \.cert file/,
  ],
  [
    "a file without a key",
    { "a.cert": client.certFile, "a.key": EMPTY },
    /a\.key".* no private key/,
  ],
  ["a damaged authority", { "ca.crt": GARBAGE }, /ca\.crt".* a damaged certificate/],
  ["an empty authority", { "ca.crt": EMPTY }, /ca\.crt".* holds no certificate/],
];

for (const [what, files, message] of BROKEN) {
  test(`${what} is an error before any connection`, async () => {
    await using registry = await serve(WHOLE, { tls });
    const environment = { HOME: homeWith(registry.host, files) };
    await assert.rejects(resolve(registry.host, environment), isError("settings", message));
    assert.equal(registry.connections.all, 0);
  });
}

test("a file that cannot be read is an error that names it", async () => {
  await using registry = await serve(WHOLE, { tls });
  const home = homeWith(registry.host, CA);
  const path = join(home, ".config/containers/certs.d", registry.host, "ca.crt");
  // A directory in its place: root may read any file.
  rmSync(path);
  mkdirSync(path);
  await assert.rejects(
    resolve(registry.host, { HOME: home }),
    isError("settings", /ca\.crt" cannot be used: EISDIR/),
  );
});
