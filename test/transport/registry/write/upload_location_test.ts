/** Where an upload goes on: what a registry's answer may name. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpClient, HttpResponse } from "../../../../lib/http/client.ts";
import { RegistryClient } from "../../../../lib/transport/registry/registry_client.ts";
import { uploadLocation } from "../../../../lib/transport/registry/write/upload_location.ts";
import { isError, NEVER, QUICK_LIMITS } from "../registry_fixture.ts";

interface Place {
  /** Addresses instead of names: nothing has to be looked up. */
  readonly registry?: string;
  readonly allowHttp?: boolean;
}

function locate(location: string, { registry = "192.0.2.1:8443", allowHttp = false }: Place = {}) {
  const http: HttpClient = { send: () => assert.fail("Nothing is to be sent"), close() {} };
  const client = new RegistryClient({
    location: { registry, repository: "team/app", insecure: false, isMirror: false },
    allowHttp,
    limits: QUICK_LIMITS,
    http,
    credentials: { find: () => Promise.resolve(undefined) },
  });
  const url = new URL(`${allowHttp ? "http" : "https"}://${registry}/v2/team/app/blobs/uploads/`);
  const response = { url, header: () => location } as unknown as HttpResponse;
  return uploadLocation(response, client);
}

for (
  const [title, location, expected, place] of [
    ["a path", "/v2/x?_state=a", "https://192.0.2.1:8443/v2/x?_state=a"],
    ["a relative path", "1", "https://192.0.2.1:8443/v2/team/app/blobs/uploads/1"],
    ["another host", "https://198.51.100.7/up?sig=b", "https://198.51.100.7/up?sig=b"],
    [
      "plain HTTP behind a proxy that ends TLS",
      "http://192.0.2.1:8443/v2/x?a=b",
      "https://192.0.2.1:8443/v2/x?a=b",
    ],
    [
      "plain HTTP without the proxy's port",
      "http://192.0.2.1/v2/x",
      "https://192.0.2.1:8443/v2/x",
    ],
    ["a user and a password", "https://a:b@192.0.2.1:8443/x#y", "https://192.0.2.1:8443/x"],
    [
      "a private host of a registry that is on one",
      "http://10.0.0.5:5001/x",
      "http://10.0.0.5:5001/x",
      { registry: "10.0.0.4:5000", allowHttp: true },
    ],
  ] as const satisfies readonly (readonly [string, string, string, Place?])[]
) {
  test(`an upload goes on at ${title}`, async () => {
    assert.equal((await locate(location, place))?.href, expected);
  });
}

for (
  const [title, location, message, place] of [
    ["plain HTTP on another host", "http://198.51.100.7/x", /to plain HTTP/],
    ["something that is no URL", "http://", /no http:\/\/ or https:\/\/ URL/],
    ["a file", "file:///etc/passwd", /no http:\/\/ or https:\/\/ URL/],
    ["this machine", "https://127.0.0.1/x", /private network, 127\.0\.0\.1,/],
    ["this machine by name", "https://localhost:22/x", /private network, localhost:22,/],
    ["this machine in IPv6", "https://[::1]/x", /private network/],
    ["this machine in IPv4 inside IPv6", "https://[::ffff:127.0.0.1]/x", /private network/],
    ["a private host", "https://192.168.1.1/x", /private network/],
    ["the address of a cloud's metadata", "http://169.254.169.254/x", /private network/, {
      allowHttp: true,
    }],
  ] as const satisfies readonly (readonly [string, string, RegExp, Place?])[]
) {
  test(`an upload does not go on at ${title}`, async () => {
    await assert.rejects(locate(location, place), isError("registry", message));
  });
}

test("a redirect does not lead an upload to this machine either", async () => {
  let sent = 0;
  const http: HttpClient = {
    send({ url }) {
      sent++;
      const location = "https://127.0.0.1/x";
      const body = { textStart: () => Promise.resolve("") };
      const response = { url, status: 307, body, header: () => location, headers: () => [] };
      return Promise.resolve(response as unknown as HttpResponse);
    },
    close() {},
  };
  const location = {
    registry: "192.0.2.1",
    repository: "team/app",
    insecure: false,
    isMirror: false,
  };
  const credentials = { find: () => Promise.resolve(undefined) };
  const client = new RegistryClient({
    location,
    allowHttp: false,
    limits: QUICK_LIMITS,
    http,
    credentials,
  });
  const request = { actions: ["push"], body: "x", signal: NEVER } as const;
  const putting = client.request("PUT", "manifests/latest", request);
  await assert.rejects(putting, isError("registry", /private network/));
  assert.equal(sent, 1);
});
