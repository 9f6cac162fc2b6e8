/** Passwords in references, URLs and texts of others are not shown; what is none stays. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hidePassword, redact } from "../../lib/text/redact.ts";

const HEX = "0123456789abcdef".repeat(4);

const TABLE: readonly (readonly [text: string, shown: string])[] = [
  ["docker://me:s3cret@h#x", "docker://me:***@h#x"],
  ["docker://:s3cret@h/x", "docker://:***@h/x"],
  ["docker://me:s3@cret@h/x:t", "docker://me:***@h/x:t"],
  ["docker://me:s3/cr#et@h/x", "docker://me:***@h/x"],
  ["docker://me%3As3cret@h/x", "docker://me:***@h/x"],
  [`docker://me:s3cret@h/x@sha256:${HEX}`, `docker://me:***@h/x@sha256:${HEX}`],
  ["docker://me:s3cret#x", "docker://me:***#x"],
  ["docker:/me:s3cret@h/x", "docker:/me:***@h/x"],
  ["docker:me:s3cret@h/x", "docker:me:***@h/x"],
  ["docker-daemon:me:s3cret@h/x", "docker-daemon:me:***@h/x"],
  ["oci://me:s3cret@h/x", "oci://me:***@h/x"],
  ["ssh://me:s3cret@h", "ssh://me:***@h"],
  ["me:s3cret@h/x", "me:***@h/x"],
  ["docker//me:s3cret@h/x", "docker//me:***@h/x"],
  // These hold none.
  [
    "docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]",
    "docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]",
  ],
  ["docker://me@h:5000#x:t", "docker://me@h:5000#x:t"],
  ["docker://$oauthtoken@nvcr.io#x", "docker://$oauthtoken@nvcr.io#x"],
  ["docker://[::1]:5000#x", "docker://[::1]:5000#x"],
  ["docker://h:5000#x:t", "docker://h:5000#x:t"],
  [`docker://h:5000/x:t@sha256:${HEX}`, `docker://h:5000/x:t@sha256:${HEX}`],
  [`podman://x:t@sha256:${HEX}`, `podman://x:t@sha256:${HEX}`],
  ["oci:dir:@0", "oci:dir:@0"],
  ["oci:user:x@host/dir", "oci:user:x@host/dir"],
  ["ostree:app:1.0@/srv/images", "ostree:app:1.0@/srv/images"],
  ["containers-storage:[overlay@/var/lib]app:1", "containers-storage:[overlay@/var/lib]app:1"],
  ["./a:b@c", "./a:b@c"],
];

for (const [text, shown] of TABLE) {
  test(`${text} shows as ${shown}`, () => assert.equal(hidePassword(text), shown));
}

test("passwords and signatures in a sentence are taken out", () => {
  const text = "No \"docker://me:a b@h/x\", 'me:pw@h' at (http://me:pw@h:1): " +
    "see https://h/blob?X-Amz-Signature=abc, at 12:30 http://h/p";
  assert.equal(
    redact(text),
    "No \"docker://me:***@h/x\", 'me:***@h' at (http://me:***@h:1): " +
      "see https://h/blob?*** at 12:30 http://h/p",
  );
});

test("a password in a URL that was taken for a path is taken out", () => {
  for (
    const [text, shown] of [
      ["no /srv/docker://me:s3cret@h#x here", "no /srv/docker://me:***@h#x here"],
      ["No such file: /srv/docker:/me:s3/cr@et@h/x", "No such file: /srv/docker:/me:***@h/x"],
      ['"docker-archive:https://me:s3cret@h/x"', '"docker-archive:https://me:***@h/x"'],
      ["/srv/docker://h:5000/x:t and /srv/a:b@c", "/srv/docker://h:5000/x:t and /srv/a:b@c"],
    ] as const
  ) {
    assert.equal(redact(text), shown);
  }
});
