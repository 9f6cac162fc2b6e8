/** Mount tables are read as enroot-mount of enroot 4.1 reads them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FstabError,
  fstabLines,
  parseFstabLine,
  parseMountOption,
} from "../../lib/enroot/parse_fstab.ts";

const host: Readonly<Record<string, string>> = {
  PWD: "/home/a b",
  EVIL: "/x\n/etc /etc none bind",
  OPTIONS: "bind,ro",
  ESCAPED: "/a\\040b",
};

/** Source, target, type, options and pass, with bars between. */
function shown(line: string): string | undefined {
  const parsed = parseFstabLine(line, (name) => host[name]);
  if (parsed === undefined) return undefined;
  const { source, target, type, options, pass } = parsed;
  return [source, target, type, options.join(","), pass].join("|");
}

const lines: readonly (readonly [line: string, expected: string])[] = [
  // Shortened forms.
  ["tmpfs /d", "tmpfs|/d|tmpfs||0"],
  ["tmpfs /d rw", "tmpfs|/d|tmpfs|rw|0"],
  ["tmpfs /d none", "tmpfs|/d|tmpfs||0"],
  ["tmpfs /d none size=1m", "tmpfs|/d|tmpfs|size=1m|0"],
  ["/s", "/s|/s|none|rbind,x-create=auto|0"],
  ["/s /d", "/s|/d|none|rbind,x-create=auto|0"],
  ["/s bind", "/s|/s|none|bind|0"],
  ["/s ro,bind", "/s|/s|none|ro,bind|0"],
  ["/s weird", "/s|weird|none|rbind,x-create=auto|0"],
  ["/s /d bind", "/s|/d|none|bind|0"],
  ["/s /d none", "/s|/d|none|rbind,x-create=auto|0"],
  ["/s /d devpts", "/s|/d|devpts||0"],
  ["none /d devpts newinstance,ptmxmode=0666", "none|/d|devpts|newinstance,ptmxmode=0666|0"],
  ["/s none bind", "/s|/s|none|bind|0"],
  ["none none bind", "none|none|none|bind|0"],
  ["/s x-create=dir /d", "/s|x-create=dir|/d||0"],
  ["proc /proc proc", "proc|/proc|proc||0"],
  // All four fields, and numbers.
  ["/s /d none bind 0 -1", "/s|/d|none|bind|-1"],
  ["/s /d none bind 0 0", "/s|/d|none|bind|0"],
  ["/s /d none bind -1", "/s|/d|none|bind|-1"],
  ["/s /d none bind -1 0", "/s|/d|none|bind|-1"],
  ["/s /d none bind 3 -1", "/s|/d|none|bind|-1"],
  ["/s /d none bind 0 2", "/s|/d|none|bind|2"],
  ["/s /d none bind 1 0", "/s|/d|none|bind|1"],
  ["  /s\t/d   none\tbind   ", "/s|/d|none|bind|0"],
  ["/s /d none bind # why", "/s|/d|none|bind|0"],
  ["/s /d none bind 0 -1 # why", "/s|/d|none|bind|-1"],
  ["/s /d none ,,bind,,ro", "/s|/d|none|bind,ro|0"],
  // Escapes.
  ["/a\\040b /c\\011d none bind", "/a b|/c\td|none|bind|0"],
  ["/a\\134b /a\\\\b none bind", "/a\\b|/a\\b|none|bind|0"],
  ["/a\\0b /a\\9 none bind", "/a\\0b|/a\\9|none|bind|0"],
  ["/\\303\\244 /ä none bind", "/ä|/ä|none|bind|0"],
  ["/a\\044{PWD} /c none bind", "/a${PWD}|/c|none|bind|0"],
  // Variables of the host.
  ["${PWD} /mnt none bind", "/home/a b|/mnt|none|bind|0"],
  ["${PWD}/x /mnt none bind", "/home/a b/x|/mnt|none|bind|0"],
  ["/a /b none ${OPTIONS}", "/a|/b|none|bind,ro|0"],
  ["/a /b ${OPTIONS}", "/a|/b|none|bind,ro|0"],
  ["${ESCAPED} /b none bind", "/a b|/b|none|bind|0"],
  ["$PWD /b none bind", "$PWD|/b|none|bind|0"],
  ["/a${MISSING} /b none bind", "/a|/b|none|bind|0"],
  ["${EVIL} /b none bind", "/x\n/etc /etc none bind|/b|none|bind|0"],
];
for (const [line, expected] of lines) {
  test(`the line ${JSON.stringify(line)} is read as ${JSON.stringify(expected)}`, () => {
    assert.equal(shown(line), expected);
  });
}

test("a line of variables that are not set asks for nothing", () => {
  assert.equal(shown("${MISSING}"), undefined);
  assert.equal(shown("${MISSING} ${MISSING}"), undefined);
});

test("references stay as they are where none are allowed", () => {
  assert.equal(parseFstabLine("${PWD} /b none bind")!.source, "${PWD}");
});

const mistakes: readonly (readonly [line: string, rule: RegExp])[] = [
  ["tmpfs", /no target/],
  ["tmpfs rw", /no target/],
  ["${MISSING} /b none bind", /no source/],
  ["/a ${MISSING}/ 0 -1", /four other fields/],
  ["/s /d 0 -1", /four other fields/],
  ["/s /d bind 0 -1", /four other fields/],
  ["/s /d none bind, ro", /two numbers/],
  ["/s /d none bind 0 0 0", /two numbers/],
  ["/\\377 /d none bind", /UTF-8/],
  [`/s /${"d".repeat(4096)} none bind`, /longer than 4094 bytes/],
];
for (const [line, rule] of mistakes) {
  test(`the line ${JSON.stringify(line.slice(0, 40))} is refused`, () => {
    assert.throws(
      () => shown(line),
      (error) => error instanceof FstabError && rule.test(error.message),
    );
  });
}

test("comments and empty lines of a table do not count, but their numbers do", () => {
  const table = "# a\n\n/s /d\n   # b\n\t\n  tmpfs /t\n";
  assert.deepEqual(fstabLines(table), [
    { number: 3, text: "/s /d" },
    { number: 6, text: "  tmpfs /t" },
  ]);
});

test("--mount has colons in place of blanks", () => {
  const { source, target, options } = parseMountOption("/a:/b\\040c:none:x-create=dir,bind");
  assert.deepEqual([source, target, options], ["/a", "/b c", ["x-create=dir", "bind"]]);
  assert.equal(parseMountOption(".:mnt").target, "mnt");
  assert.equal(parseMountOption("${HOME}:/b").source, "${HOME}");
});

for (const option of ["", ":", "/a:", ":/b", "/a::/b", "/a b:/c", "/a\n/b", "#a:/b "]) {
  test(`--mount ${JSON.stringify(option)} is refused`, () => {
    assert.throws(() => parseMountOption(option), FstabError);
  });
}
