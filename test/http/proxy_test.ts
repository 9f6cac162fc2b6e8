/** The proxy for a URL, and real requests through it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { chooseProxy } from "../../lib/http/proxy.ts";
import { makeServerCertificate } from "../helpers/certificates.ts";
import { startFakeRegistry } from "../helpers/fake_registry.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import {
  AMD64,
  isError,
  MANIFEST_DIGEST,
  manifestAnswer,
  NEVER,
  open,
} from "../transport/registry/registry_fixture.ts";
import { resolveImage } from "../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("proxy");
const P = "http://proxy:3128";

const EXEMPT: readonly (readonly [no: string, url: string, isExempt: boolean])[] = [
  ["", "https://a.example.com/", false],
  ["*", "https://a.example.com/", true],
  ["example.com", "https://example.com/", true],
  ["example.com", "https://a.example.com/", true],
  ["example.com", "https://notexample.com/", false],
  [".example.com", "https://a.example.com/", true],
  ["*.example.com", "https://a.example.com/", true],
  ["EXAMPLE.com", "https://a.Example.COM/", true],
  ["example.com.", "https://example.com/", true],
  ["other, example.com", "https://example.com/", true],
  ["other example.com", "https://example.com/", true],
  ["example.com:443", "https://example.com/", true],
  ["example.com:5000", "https://example.com/", false],
  ["example.com:5000", "https://example.com:5000/", true],
  ["localhost", "http://localhost:5000/", true],
  ["127.0.0.1", "http://127.0.0.1:5000/", true],
  ["127.0.0.1:5000", "http://127.0.0.1:5000/", true],
  ["127.0.0.1:5001", "http://127.0.0.1:5000/", false],
  ["0.0.1", "http://127.0.0.1/", false],
  ["10.0.0.0/8", "http://10.1.2.3/", true],
  ["10.0.0.0/8", "http://11.1.2.3/", false],
  ["10.0.0.0/99", "http://10.1.2.3/", false],
  ["10.0.0.0/8", "http://host.example.com/", false],
  ["::1", "http://[::1]:5000/", true],
  ["[::1]:5000", "http://[::1]:5000/", true],
  ["fd00::/8", "http://[fd12::1]/", true],
  ["fd00::/8", "http://10.0.0.1/", false],
  [",,", "https://example.com/", false],
];

for (const [no, url, isExempt] of EXEMPT) {
  test(`no_proxy "${no}" ${isExempt ? "exempts" : "does not exempt"} ${url}`, () => {
    assert.equal(chooseProxy(new URL(url), { all: P, no }) === undefined, isExempt);
  });
}

test("the protocol's own proxy comes before all_proxy; a scheme may be left out", () => {
  const settings = { http: "one:1", https: "http://two:2", all: "http://three:3", no: "" };
  assert.equal(chooseProxy(new URL("http://h/"), settings)?.href, "http://one:1/");
  assert.equal(chooseProxy(new URL("https://h/"), settings)?.href, "http://two:2/");
  assert.equal(chooseProxy(new URL("https://h/"), { all: P, no: "" })?.port, "3128");
  assert.equal(chooseProxy(new URL("https://h/"), { http: P, no: "" }), undefined);
});

test("a proxy that cannot be used is an error without its password", () => {
  const wrong = [
    [{ https: "http://" }, /^https_proxy \(or HTTPS_PROXY\) is not an http:\/\/ or https:\/\/ URL/],
    [{ https: "socks5://u:hunter2@p:1" }, /^https_proxy \(or HTTPS_PROXY\) names .* socks5/],
    [{ all: "SOCKS5h://u:hunter2@p:1" }, /^all_proxy \(or ALL_PROXY\) names .* SOCKS5h/],
    [{ all: "ftp://u:hunter2@p:1" }, /^all_proxy/],
  ] as const;
  for (const [settings, message] of wrong) {
    const choose = () => chooseProxy(new URL("https://h/"), { ...settings, no: "" });
    assert.throws(choose, (error: Error) => {
      assert.ok(!error.message.includes("hunter2"));
      return isError("settings", message)(error);
    });
  }
});

/** A proxy for HTTP and HTTPS that records its requests. */
async function startProxy() {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${new URL(request.url!).pathname}`);
    const headers = { ...request.headers };
    delete headers.host;
    http.get(request.url!, { headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
  });
  server.on("connect", (request, socket, head) => {
    asked.push(`CONNECT ${request.headers["proxy-authorization"] ?? "nobody"}`);
    const [host, port] = request.url!.split(":");
    const upstream = net.connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) end.on("error", () => upstream.destroy());
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    asked,
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("plain HTTP goes through http_proxy", async () => {
  await using proxy = await startProxy();
  await using registry = await startFakeRegistry(() => manifestAnswer());
  const settings = { proxy: { http: `http://${proxy.host}`, no: "" } };
  await using source = await open(registry.host, { settings });
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  assert.deepEqual(proxy.asked, ["GET /v2/team/app/manifests/latest"]);
});

test("HTTPS goes through https_proxy with CONNECT and the proxy's credentials", async () => {
  const { caFile, certFile, keyFile } = await makeServerCertificate(join(scratch, "tls"));
  const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  await using proxy = await startProxy();
  await using registry = await startFakeRegistry(() => manifestAnswer(), { tls });
  const settings = {
    allowHttp: false,
    tls: { certFile: caFile },
    proxy: { https: `http://us%40er:pw@${proxy.host}`, no: "" },
  };
  await using source = await open(registry.host, { settings });
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  assert.deepEqual(proxy.asked, [`CONNECT Basic ${btoa("us@er:pw")}`]);
  assert.equal(registry.requests[0]?.headers["proxy-authorization"], undefined);
});

test("a host in no_proxy is reached directly", async () => {
  await using registry = await startFakeRegistry(() => manifestAnswer());
  const settings = { proxy: { http: "http://127.0.0.1:9", no: "127.0.0.0/8" } };
  await using source = await open(registry.host, { settings });
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
});

test("the error names a proxy that refuses, without its password; it is not asked again", async () => {
  await using proxy = await startFakeRegistry(() => ({ status: 407 }));
  const settings = { allowHttp: false, proxy: { all: `http://u:hunter2@${proxy.host}`, no: "" } };
  await using source = await open("registry.test", { settings });
  await assert.rejects(resolveImage(source, AMD64, NEVER), (error: Error) => {
    assert.doesNotMatch(error.message, /hunter2/);
    return isError("network", /registry\.test through the proxy 127[^ ]+ failed: .*407/)(error);
  });
  assert.deepEqual(proxy.requests.map(({ line }) => line), ["CONNECT registry.test:443"]);
});
