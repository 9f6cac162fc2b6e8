/** TLS that fails: which side refused, why, and what the user can do. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { TransferError } from "../../lib/http/transfer_error.ts";
import { makeDatedCertificate, makeServerCertificate } from "../helpers/certificates.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { NEVER } from "../transport/registry/registry_fixture.ts";
import { listen, makeClient, serve } from "./http_fixture.ts";

const scratch = scratchDirectory("tls-failures");
const server = await makeServerCertificate(join(scratch, "server"));
const pem = (cert: string, key: string) => ({
  cert: readFileSync(cert, "utf8"),
  key: readFileSync(key, "utf8"),
});
const trusting = { tls: { certFile: server.caFile } };

async function failure(
  url: URL,
  settings: Parameters<typeof makeClient>[1],
): Promise<TransferError> {
  using client = makeClient({}, settings);
  const sent = client.send({ method: "GET", url, headers: {}, signal: NEVER });
  const error = await sent.then(() => undefined, (error: unknown) => error);
  assert(error instanceof TransferError);
  return error;
}

const DATED: readonly (readonly [what: string, from: string, to: string, message: RegExp])[] = [
  [
    "has expired",
    "2020-01-01T00:00:00Z",
    "2021-02-03T04:05:06Z",
    /has expired: it is for 2020-01-01 00:00 UTC to 2021-02-03 04:05 UTC, and the clock .* 20\d\d-/,
  ],
  [
    "is not valid yet",
    "2045-01-01T00:00:00Z",
    "2046-01-01T00:00:00Z",
    /is not valid yet: it is for 2045-01-01 00:00 UTC to 2046-01-01 00:00 UTC, and the clock /,
  ],
];

for (const [what, from, to, message] of DATED) {
  test(`the error for a certificate that ${what} has its dates and the clock's`, async () => {
    const dated = makeDatedCertificate(join(scratch, from), server, [
      Date.parse(from),
      Date.parse(to),
    ]);
    await using served = await serve(
      (_, answer) => answer.end(),
      pem(dated.certFile, dated.keyFile),
    );
    const error = await failure(served.url, trusting);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", /Set the clock if it is wrong/);
    assert.deepEqual(served.requests, []);
  });
}

test("an unknown authority's certificate is not blamed on the clock", async () => {
  await using served = await serve(
    (_, answer) => answer.end(),
    pem(server.certFile, server.keyFile),
  );
  const error = await failure(served.url, {});
  assert.match(error.message, /is not trusted: /);
  assert.match(
    error.hint ?? "",
    /SSL_CERT_FILE .*CURL_CA_BUNDLE.*certs\.d\/127\.0\.0\.1:\d+\/ca\.crt/,
  );
});

const BUNDLES: readonly (readonly [settings: object, isTrusted: boolean])[] = [
  [{ curlBundle: server.caFile }, true],
  [{ curlBundle: server.caFile, certFile: "/nonexistent" }, true],
  [{ curlBundle: "", certFile: server.caFile }, true],
];

for (const [tls] of BUNDLES) {
  test(`${JSON.stringify(tls)} is read as curl reads the variables`, async () => {
    await using served = await serve(
      (_, answer) => answer.end(),
      pem(server.certFile, server.keyFile),
    );
    using client = makeClient({}, { tls });
    const sent = { method: "GET", url: served.url, headers: {}, signal: NEVER } as const;
    assert.equal((await client.send(sent)).status, 200);
  });
}

/** A server that answers a greeting with these bytes. */
async function answering(bytes: readonly number[]) {
  const listening = await listen(net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(Uint8Array.from(bytes)));
  }));
  listening.url.protocol = "https:";
  return listening;
}

const ALERTS: readonly (readonly [name: string, number: number, message: RegExp])[] = [
  ["protocol_version", 70, /^The TLS server of 127\S+ refused .* the alert ".*version/],
  ["handshake_failure", 40, /^The TLS server of 127\S+ refused .* the alert "handshake failure"/],
  ["certificate_required", 116, /refused the client certificate, or asks for one/],
];

for (const [name, number, message] of ALERTS) {
  test(`the alert ${name} is the server's refusal`, async () => {
    await using listening = await answering([0x15, 3, 3, 0, 2, 2, number]);
    const error = await failure(listening.url, trusting);
    assert.match(error.message, message);
    assert.equal(error.transient, false);
  });
}

test("a server that is too old is refused by denroot", async () => {
  // A ServerHello of TLS 1.0, with 32 random bytes.
  const random = new Array<number>(32).fill(7);
  const hello = [0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1, ...random, 0, 0, 0x2f, 0];
  await using listening = await answering(hello);
  const error = await failure(listening.url, trusting);
  assert.match(
    error.message,
    /^denroot refused the TLS of 127\S+ because of what the server sent: /,
  );
});
