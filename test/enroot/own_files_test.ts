/** enroot's own files: real shells run the scripts, which must do what the image says. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { DenrootError } from "../../lib/errors.ts";
import { ownFiles, workingDirectory } from "../../lib/enroot/own_files.ts";
import type { ImageConfig } from "../../lib/types/image.ts";

const URI = "docker://registry-1.docker.io#library/busybox:latest";
const SHELLS = ["dash", "bash", "busybox"].filter((name) =>
  spawnSync(name, name === "busybox" ? ["true"] : ["-c", ":"]).status === 0
);
const ODD_WORDS = [
  "",
  " ",
  "plain",
  "two words",
  "it's",
  "'",
  "''",
  "\\",
  "a\\nb",
  "line\nbreak",
  "tab\there",
  "$HOME",
  "${x:-y}",
  "$(touch pwned)",
  "`touch pwned`",
  "; touch pwned",
  "\n touch pwned\n",
  '"',
  "*",
  "~",
  "-n",
  "--",
  "#not a comment",
  "!!",
  "\u001b[31m",
  "\u0007",
  "\u00e4\u00f6\u00fc \u4e16\u754c",
  "a=b",
];

let directory: string;
let printer: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "denroot-own-files-"));
  printer = join(directory, "printer");
  // The program prints its arguments with a NUL after each.
  writeFileSync(printer, '#!/bin/sh\nfor word; do printf "%s\\000" "$word"; done\n');
  chmodSync(printer, 0o755);
});
after(() => rmSync(directory, { recursive: true, force: true }));

function config(partial: Partial<ImageConfig> = {}): ImageConfig {
  return {
    diffIds: [],
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: "",
    volumes: [],
    labels: {},
    ...partial,
  };
}

function text(path: string, partial: Partial<ImageConfig> = {}): string {
  const file = ownFiles(config(partial), URI).find((file) => file.path === path);
  assert(file, `no ${path}`);
  return new TextDecoder().decode(file.content);
}

/** Runs the script as the runtime does, in `directory`; gives the arguments of the program. */
function run(shell: string, script: string, args: readonly string[] = [], local = "") {
  const localPath = join(directory, "rc.local");
  writeFileSync(localPath, local);
  const path = join(directory, "rc");
  writeFileSync(path, script.replaceAll("/etc/rc.local", `'${localPath}'`));
  const prefix = shell === "busybox" ? ["sh"] : [];
  const result = spawnSync(shell, [...prefix, path, ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: directory },
  });
  assert.equal(existsSync(join(directory, "pwned")), false, "a word was run as a command");
  return { ...result, words: result.stdout.split("\0").slice(0, -1) };
}

test("the script is valid for every shell with any configuration", () => {
  const script = text("etc/rc", {
    entrypoint: ODD_WORDS,
    cmd: ODD_WORDS,
    workingDir: "/a'b\n$(touch pwned)",
    labels: Object.fromEntries(ODD_WORDS.map((word, index) => [`${index}${word}`, word])),
  });
  const path = join(directory, "syntax");
  writeFileSync(path, script);
  for (const shell of SHELLS) {
    const prefix = shell === "busybox" ? ["sh"] : [];
    assert.equal(spawnSync(shell, [...prefix, "-n", path]).status, 0, shell);
  }
});

for (const shell of SHELLS) {
  test(`${shell}: odd words in entrypoint and command arrive unchanged`, () => {
    const script = text("etc/rc", {
      entrypoint: [printer, ...ODD_WORDS],
      cmd: ["cmd", ...ODD_WORDS],
      workingDir: directory,
    });
    assert.deepEqual(run(shell, script).words, [...ODD_WORDS, "cmd", ...ODD_WORDS]);
  });

  test(`${shell}: arguments replace the command and keep the entrypoint`, () => {
    const script = text("etc/rc", {
      entrypoint: [printer, "first"],
      cmd: ["never"],
      workingDir: directory,
    });
    assert.deepEqual(run(shell, script, ["a b", "", "$x"]).words, ["first", "a b", "", "$x"]);
  });

  test(`${shell}: without an entrypoint the command or the arguments are run`, () => {
    const script = text("etc/rc", { cmd: [printer, "cmd"], workingDir: directory });
    assert.deepEqual(run(shell, script).words, ["cmd"]);
    assert.deepEqual(run(shell, script, [printer, "mine"]).words, ["mine"]);
  });

  test(`${shell}: rc.local is read first and may replace everything, as pyxis does`, () => {
    const script = text("etc/rc", { entrypoint: ["/nonexistent"], workingDir: directory });
    const { words } = run(shell, script, [printer, "a", "b c"], 'exec "$@"\n');
    assert.deepEqual(words, ["a", "b c"]);
    const changed = text("etc/rc", { entrypoint: [printer], workingDir: directory });
    assert.deepEqual(run(shell, changed, [], "set -- set by rc.local\n").words, [
      "set",
      "by",
      "rc.local",
    ]);
  });

  test(`${shell}: the program starts in the working directory, made when it is missing`, () => {
    const missing = join(directory, `made by ${shell}`, "it's");
    const script = text("etc/rc", { cmd: ["pwd"], workingDir: missing });
    assert.equal(run(shell, script).stdout, `${missing}\n`);
    mkdirSync(missing, { recursive: true });
    assert.equal(run(shell, script).stdout, `${missing}\n`);
  });

  test(`${shell}: a working directory that cannot be entered stops the container`, () => {
    const script = text("etc/rc", { cmd: ["echo", "ran"], workingDir: `${printer}/x` });
    const result = run(shell, script);
    assert.equal(result.status, 1);
    assert.equal(result.stdout, "");
  });

  test(`${shell}: OLDPWD does not leak`, () => {
    const script = text("etc/rc", {
      cmd: ["sh", "-c", 'echo "[${OLDPWD-}]"'],
      workingDir: directory,
    });
    assert.equal(run(shell, script).stdout, "[]\n");
  });
}

test("any words survive a shell", () => {
  const word = fc.string({ unit: "binary", maxLength: 20 }).filter((word) =>
    !word.includes("\0") && word.isWellFormed()
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      const script = text("etc/rc", { entrypoint: [printer, ...words], workingDir: directory });
      assert.deepEqual(run(SHELLS[0]!, script).words, words);
    }),
    { numRuns: 30 },
  );
});

test("an image without entrypoint and command starts a shell", () => {
  assert.match(text("etc/rc"), /exec '\/bin\/sh'\n/);
  assert.match(text("etc/rc", { entrypoint: [""] }), /exec '\/bin\/sh'\n/);
});

test("the first line of rc records where the image came from", () => {
  assert.equal(text("etc/rc").split("\n")[0], `# enroot-provenance: ${URI}`);
  assert.equal(text(".enroot/source"), `uri=${URI}\n`);
});

test("labels are comments in the image's order and cannot add lines", () => {
  const script = text("etc/rc", {
    labels: {
      "z.first": "1",
      "a\nkey": "value\ntouch pwned\r\n\u001b[2J\u2028x\u0085y",
      "backslash": "ends in \\",
    },
  });
  assert.deepEqual(script.split("\n").slice(1, 5), [
    "# z.first 1",
    "# a key value touch pwned   [2J x y",
    "# backslash ends in \\",
    "",
  ]);
});

test("volumes become mounts onto themselves, sorted, escaped, each once", () => {
  const volumes = ["/var/lib/x", "/a b\\c\n", "/a", "relative", "/a/", "/", "/../up", "/${HOME}"];
  assert.deepEqual(text("etc/fstab", { volumes }).split("\n"), [
    "${ENROOT_ROOTFS}/\\044{HOME} /\\044{HOME} none x-create=dir,bind,rw,nosuid,nodev",
    "${ENROOT_ROOTFS}/a /a none x-create=dir,bind,rw,nosuid,nodev",
    "${ENROOT_ROOTFS}/a\\040b\\134c\\012 /a\\040b\\134c\\012 none x-create=dir,bind,rw,nosuid,nodev",
    "${ENROOT_ROOTFS}/relative /relative none x-create=dir,bind,rw,nosuid,nodev",
    "${ENROOT_ROOTFS}/up /up none x-create=dir,bind,rw,nosuid,nodev",
    "${ENROOT_ROOTFS}/var/lib/x /var/lib/x none x-create=dir,bind,rw,nosuid,nodev",
    "",
  ]);
  assert.equal(text("etc/fstab"), "");
});

test("the environment has one variable on each line, with any value", () => {
  const env = [
    "PATH=/usr/bin:/bin",
    "EMPTY=",
    'QUOTED="a b"',
    "EQUALS=a=b",
    "INJECT=1\nLD_PRELOAD=/evil.so\r\nX=y",
    "ESCAPE=\u001b[0m",
    "UNICODE=\u00e4",
    "no equals",
    "=no name",
    "bad\nname=1",
    " leading=1",
    "#comment=1",
    "dotted.name=1",
  ];
  assert.equal(
    text("etc/environment", { env }),
    "PATH=/usr/bin:/bin\n" +
      "EMPTY=\n" +
      'QUOTED="a b"\n' +
      "EQUALS=a=b\n" +
      "INJECT=1 LD_PRELOAD=/evil.so X=y\n" +
      "ESCAPE=\u001b[0m\n" +
      "UNICODE=\u00e4\n" +
      "dotted.name=1\n",
  );
});

test("NUL characters are refused where a program would get them, and do no harm in labels", () => {
  for (
    const partial of [
      { entrypoint: ["a\0b"] },
      { cmd: ["\0"] },
      { workingDir: "/a\0" },
      { volumes: ["/\0"] },
      { env: ["A=\0"] },
    ]
  ) {
    assert.throws(
      () => ownFiles(config(partial), URI),
      (error: unknown) => error instanceof DenrootError && error.code === "manifest",
    );
  }
  assert.match(text("etc/rc", { labels: { a: "b\0c" } }), /^# a b c$/m);
});

test("the working directory is absolute and inside the root", () => {
  const table: ReadonlyArray<[string, string]> = [
    ["", "/"],
    ["/", "/"],
    ["app", "/app"],
    ["/app/", "/app"],
    ["//a//b/./c", "/a/b/c"],
    ["../../etc", "/etc"],
    ["-p", "/-p"],
  ];
  for (const [workingDir, expected] of table) {
    assert.equal(workingDirectory(config({ workingDir })), expected);
  }
});

test("all files are plain data that only the runtime's shell reads", () => {
  const files = ownFiles(config(), URI);
  assert.deepEqual(files.map((file) => file.path), [
    "etc/rc",
    "etc/rc.local",
    "etc/fstab",
    "etc/environment",
    ".enroot/source",
  ]);
  assert(files.every((file) => file.mode === 0o644));
});
