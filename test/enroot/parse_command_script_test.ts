/** The command scripts of enroot and denroot can be understood without a shell, and no others. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ownFiles } from "../../lib/enroot/own_files.ts";
import {
  doesNothing,
  parseCommandScript,
  runsArgumentsAlone,
} from "../../lib/enroot/parse_command_script.ts";
import type { ImageConfig } from "../../lib/types/image.ts";

function ownScript(config: Partial<ImageConfig>): string {
  const files = ownFiles({
    entrypoint: [],
    cmd: [],
    env: [],
    volumes: [],
    labels: {},
    workingDir: "",
    ...config,
  } as unknown as ImageConfig, "docker://x");
  return new TextDecoder().decode(files.find(({ path }) => path === "etc/rc")!.content);
}

/** As enroot 4.1 writes it; `%Q` marks its quoted words. */
const enrootScript = (directory: string, entrypoint: string, command: string) =>
  `# enroot-provenance: docker://x
# a label

mkdir -p "${directory}" 2> /dev/null
cd "${directory}" && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -gt 0 ]; then
    exec ${entrypoint} "$@"
else
    exec ${entrypoint} ${command}
fi
`;

test("denroot's own scripts are understood, whatever the words are", () => {
  const words = ["/entry point", "it's", 'a "$b" `c` \\', "", "-x=1", 'exec "$@"', "a\n# b\n\n  c"];
  const text = ownScript({ entrypoint: words, cmd: ["run", "two\nlines"], workingDir: "/my work" });
  assert.deepEqual(parseCommandScript(text), {
    directory: "/my work",
    entrypoint: words,
    command: ["run", "two\nlines"],
  });
  assert.deepEqual(parseCommandScript(ownScript({})), {
    directory: "/",
    entrypoint: [],
    command: ["/bin/sh"],
  });
});

test("enroot's scripts are understood", () => {
  const text = enrootScript("/work", "'/entry' $'a\\tb\\'c'", "'x'\\''y'");
  assert.deepEqual(parseCommandScript(text), {
    directory: "/work",
    entrypoint: ["/entry", "a\tb'c"],
    command: ["x'y"],
  });
  assert.deepEqual(parseCommandScript(enrootScript("/", "", "'bash'")), {
    directory: "/",
    entrypoint: [],
    command: ["bash"],
  });
});

const others = [
  "",
  'exec "$@"\n',
  enrootScript("/work", "'/entry'", "'x'") + "echo more\n",
  enrootScript("/$HOME", "'/entry'", "'x'"),
  enrootScript("/work", "'/entry' $HOME", "'x'"),
  enrootScript("/work", "'/entry'; rm", "'x'"),
  enrootScript("/work", "$'\\x41'", "'x'"),
  enrootScript("/work", "'/entry'", "'x'").replace("fi\n\nif", "fi\nexport A=1\nif"),
];
for (const [index, text] of others.entries()) {
  test(`script ${index} that does something else is left to a shell`, () => {
    assert.equal(parseCommandScript(text), undefined);
  });
}

test("what /etc/rc.local does is known in two cases", () => {
  assert.ok(runsArgumentsAlone('# x\n\n  exec "$@"\n'));
  assert.ok(!runsArgumentsAlone('export A=1\nexec "$@"\n'));
  assert.ok(doesNothing("# x\n\n  # y\n"));
  assert.ok(!doesNothing("# x\nexport A=1\n"));
});

test("a script of an image that is made to be slow takes no time", () => {
  const started = performance.now();
  for (
    const text of ["a".repeat(30_000), "'a' ".repeat(8_000), "\n".repeat(30_000), "a".repeat(1e6)]
  ) {
    parseCommandScript(enrootScript("/", text, "!"));
    parseCommandScript(text);
  }
  assert.ok(performance.now() - started < 5000);
});
