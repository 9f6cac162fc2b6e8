/** Tests which answers redirect, where to, and what never goes along. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpResponse } from "../../lib/http/client.ts";
import { isRedirect, redirectTarget } from "../../lib/http/redirect.ts";
import { isError } from "../transport/registry/registry_fixture.ts";

const HTTP = "http://registry.example/v2/";
const HTTPS = "https://registry.example/v2/";

function answer(from: string, location: string | undefined, status = 307): HttpResponse {
  const header = () => location;
  return { url: new URL(from), status, header } as unknown as HttpResponse;
}

/** Where a redirect leads while plain HTTP is forbidden. */
function target(from: string, location: string): string {
  return redirectTarget(answer(from, location), () => false).href;
}

for (const status of [301, 302, 303, 307, 308]) {
  test(`an answer with status ${status} redirects if it says where to`, () => {
    assert.ok(isRedirect(answer(HTTPS, "/there", status)));
    assert.ok(!isRedirect(answer(HTTPS, undefined, status)));
  });
}

test("other answers do not redirect", () => {
  for (const status of [200, 201, 300, 304, 401]) {
    assert.ok(!isRedirect(answer(HTTPS, "/there", status)));
  }
});

test("a redirect leads to another path or host, and from plain HTTP anywhere", () => {
  assert.equal(target(HTTPS, "/there?a=b"), "https://registry.example/there?a=b");
  assert.equal(target(HTTPS, "https://storage.example/x"), "https://storage.example/x");
  assert.equal(target(HTTP, "http://storage.example/x"), "http://storage.example/x");
  assert.equal(target(HTTP, "https://storage.example/x"), "https://storage.example/x");
});

test("a redirect from HTTPS to plain HTTP is followed only if the settings allow it", () => {
  const there = "http://storage.example/x";
  assert.throws(() => target(HTTPS, there), isError("registry", /from HTTPS to plain HTTP/));
  assert.equal(redirectTarget(answer(HTTPS, there), () => true).href, there);
});

test("a user, a password and a fragment in a redirect are dropped", () => {
  const there = "https://user:password@storage.example/x#part";
  assert.equal(target(HTTPS, there), "https://storage.example/x");
});

test("a redirect to something else than HTTP is refused", () => {
  for (const location of ["ftp://storage.example/x", "file:///etc/passwd", "http://"]) {
    assert.throws(() => target(HTTP, location), isError("registry", /not an http/));
  }
});
