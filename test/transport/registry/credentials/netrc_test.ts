/** The credentials file's format. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseNetrc } from "../../../../lib/transport/registry/credentials/netrc.ts";

type Expected = readonly string[];

/** Entries as `machine|login|password|line`, with `$` before an expression. */
const TABLE: readonly (readonly [title: string, text: string, expected: Expected])[] = [
  ["one line", "machine h login u password p\n", ["h|u|p|1"]],
  ["several lines", "machine h\n\tlogin u\n\tpassword p", ["h|u|p|1"]],
  ["any order", "machine h password p login u", ["h|u|p|1"]],
  ["several machines, in order", "machine a login u password p\nmachine b login v password q\n", [
    "a|u|p|1",
    "b|v|q|2",
  ]],
  ["one machine twice", "machine a login u password p\nmachine a login v password q", [
    "a|u|p|1",
    "a|v|q|2",
  ]],
  ["a default", "machine a login u password p\ndefault login v password q", ["a|u|p|1", "*|v|q|2"]],
  ["comments", "# machine x login y password z\n\n  # more\nmachine h login u password p # end\n", [
    "h|u|p|4",
  ]],
  ["a # in a password", "machine h login u password p#q", ["h|u|p#q|1"]],
  ["a password that begins with #", "machine h login u password #q", ["h|u|#q|1"]],
  ["quotes", 'machine h login "a user" password "p \\"q\\" \\\\ \\n"', ['h|a user|p "q" \\ \n|1']],
  ["a port", "machine h:5000 login u password p", ["h:5000|u|p|1"]],
  ["CRLF", "machine h login u password p\r\nmachine i login u password q\r\n", [
    "h|u|p|1",
    "i|u|q|2",
  ]],
  ["a byte order mark", "\uFEFFmachine h login u password p", ["h|u|p|1"]],
  ["an account", "machine h login u account a password p", ["h|u|p|1"]],
  [
    "a macro",
    "machine h login u password p\nmacdef init\ncd /x\nmachine evil\n\nmachine i login v password q",
    [
      "h|u|p|1",
      "i|v|q|6",
    ],
  ],
  ["a macro at the end", "machine h login u password p\nmacdef init\nmachine evil login", [
    "h|u|p|1",
  ]],
  ["a user of NGC, which is no expression", "machine nvcr.io login $oauthtoken password k", [
    "nvcr.io|$oauthtoken|k|1",
  ]],
  ["a variable", "machine h login u password $TOKEN\n", ["h|u|$:$TOKEN|1"]],
  [
    "a command, to the end of its line",
    "machine h login u password $(a | b -c 'd')  \nmachine i login v password q",
    [
      "h|u|$:$(a | b -c 'd')|1",
      "i|v|q|2",
    ],
  ],
  ["a command on a line of its own", "machine h\nlogin u\npassword $(a b)\n", ["h|u|$:$(a b)|1"]],
  ["a login after an expression", "machine h password $TOKEN login u\n", ["h|u|$:$TOKEN|1"]],
  ["a quoted dollar, which is no expression", 'machine h login u password "$x"', ["h|u|$x|1"]],
  ["a dollar inside", "machine h login u password a$x", ["h|u|a$x|1"]],
  ["unknown words", "machine h port 21 login u password p", ["h|u|p|1"]],
  ["no password", "machine h login u\nmachine i login v password q", ["h|u||1", "i|v|q|2"]],
  ["words outside entries", "login u password p\nmachine h login u password p", ["h|u|p|2"]],
  ["nothing", "\n \n", []],
  ["a machine without a name", "machine", []],
];

for (const [title, text, expected] of TABLE) {
  test(`netrc: ${title}`, () => {
    const found = parseNetrc(text).map((entry) =>
      [
        entry.machine ?? "*",
        entry.login ?? "",
        (entry.isExpression ? "$:" : "") + (entry.password ?? ""),
        entry.line,
      ].join("|")
    );
    assert.deepEqual(found, expected);
  });
}

test("a password of thousands of characters is read whole", () => {
  const password = '{"k":"' + "x".repeat(9000) + '\\u0020"}';
  assert.equal(
    parseNetrc(`machine h login _json_key password ${password}\n`)[0]?.password,
    password,
  );
});

test("no file makes the parser throw or hang", () => {
  const words = fc.constantFrom(
    "machine",
    "default",
    "login",
    "password",
    "macdef",
    "account",
    "#",
    '"',
    "\\",
    "$",
    "$(x)",
    "\n",
    " ",
    "h",
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 80 }), (parts) => {
      parseNetrc(parts.join(" "));
      parseNetrc(parts.join(""));
    }),
  );
});
