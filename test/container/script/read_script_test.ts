/** A configuration script is asked for all that it wants, and its mistakes are named. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { readScript as readScriptWith } from "../../../lib/container/script/read_script.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("script");
const PATH = process.env["PATH"] ?? "";
let count = 0;

const readScript = (
  path: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
) => readScriptWith(path, command, { environment, runtimePath: scratch });

function script(...lines: readonly string[]): string {
  const path = join(scratch, `conf ${count++}.sh`);
  writeFileSync(path, lines.join("\n") + "\n", { mode: 0o600 });
  return path;
}

test("all four functions are read, and hooks() is not called", async () => {
  const path = script(
    "environ() {",
    '    echo "SELF=$0"',
    "    env | grep ^FROM_HOST=",
    "}",
    "mounts() { echo '/a\\040b /c none bind'; }",
    `hooks() { touch '${scratch}/called'; }`,
    "rc() {",
    "    cat /etc/issue",
    '    exec "$@"',
    "}",
  );
  const output = await readScript(path, ["sh", "-c", "x y"], { PATH, FROM_HOST: "h" });
  assert.equal(output.environment, `SELF=${path}\nFROM_HOST=h\n`);
  assert.equal(output.mounts, "/a\\040b /c none bind\n");
  assert.equal(output.hasHooks, true);
  assert.deepEqual(output.rc!.trim().split("\n").map((line) => line.trim()), [
    "cat /etc/issue;",
    'exec "$@"',
  ]);
  assert.ok(!existsSync(join(scratch, "called")));
});

test("a script without functions wants nothing", async () => {
  const output = await readScript(script("#ENROOT_REMAP_ROOT=y", "echo hello"), [], { PATH });
  assert.deepEqual(
    [output.environment, output.mounts, output.hasHooks, output.rc],
    [undefined, undefined, false, undefined],
  );
});

test("the script sees the command as its arguments, and its functions see none", async () => {
  const path = script(
    'all="$*" number=$#',
    'environ() { echo "ALL=$all" "$number" "$#"; }',
  );
  const { environment } = await readScript(path, ["a b", "", "c"], { PATH });
  assert.equal(environment, "ALL=a b  c 3 0\n");
});

test("functions share their variables, and what a script prints by itself is not taken", async () => {
  const path = script("echo noise", "environ() { x=1; echo A=$x; }", "mounts() { echo /$x /x; }");
  const { environment, mounts } = await readScript(path, [], { PATH });
  assert.equal(environment, "A=1\n");
  assert.equal(mounts, "/1 /x\n");
});

test("the shell reads no file that the environment names", async () => {
  const trace = join(scratch, "trace"), rc = join(scratch, "bash-env");
  writeFileSync(rc, `touch '${trace}'\n`);
  await readScript(script("environ() { :; }"), [], { PATH, BASH_ENV: rc, ENV: rc });
  assert.ok(!existsSync(trace));
});

test("pyxis's script works", async () => {
  // As pyxis writes it for: srun --container-mounts --container-env.
  const path = script(
    "mounts() {",
    '\techo "/home/user /home/user x-create=auto,rbind"',
    '\techo "/data\\\\040set /data x-create=auto,rbind,ro"',
    "}",
    "environ() {",
    '\techo "PMIX_RANK=0"',
    "}",
    "hooks() {",
    '\tcat << "EOF" > ${ENROOT_ROOTFS}/etc/rc.local',
    'exec "$@"',
    "EOF",
    "}",
  );
  const output = await readScript(path, ["sh", "-c", "kill -STOP $$ ; exit 0"], { PATH });
  assert.equal(
    output.mounts,
    "/home/user /home/user x-create=auto,rbind\n/data\\040set /data x-create=auto,rbind,ro\n",
  );
  assert.equal(output.environment, "PMIX_RANK=0\n");
  assert.equal(output.hasHooks, true);
});

const mistakes: readonly (readonly [title: string, lines: string[], message: RegExp])[] = [
  ["is no bash", ["environ() {"], /"[^"]+\.sh" is no valid bash$/],
  ["fails", ["false", "environ() { :; }"], /"[^"]+\.sh" failed with exit code 1$/],
  ["uses what is not set", ["echo $missing"], /"[^"]+\.sh" failed with exit code 1$/],
  ["exits", ["exit 7"], /failed with exit code 7$/],
  ["fails in environ()", ["environ() { false; echo A=1; }"], /in its function environ\(\) failed/],
  ["fails in a pipe", ["mounts() { false | true; echo x; }"], /in its function mounts\(\) failed/],
];
for (const [title, lines, message] of mistakes) {
  test(`a script that ${title} is named`, async () => {
    await assert.rejects(readScript(script(...lines), [], { PATH }), { code: "settings", message });
  });
}

test("a script with a mistake in its syntax does nothing before", async () => {
  const trace = join(scratch, "early");
  await assert.rejects(readScript(script(`touch '${trace}'`, "if"), [], { PATH }));
  assert.ok(!existsSync(trace));
});

test("a machine without bash is told which script needs it", async () => {
  mkdirSync(join(scratch, "empty"), { recursive: true });
  const path = script("environ() { :; }");
  // Administrators' directories count too, and bash is not there.
  await assert.rejects(readScript(path, [], { PATH: join(scratch, "empty") }), {
    code: "not_found",
    message: /The configuration script ".*\.sh" needs bash/,
  });
});

test("a script that prints without end is stopped", async () => {
  await assert.rejects(readScript(script("mounts() { yes; }"), [], { PATH }), {
    code: "limit",
    message: /printed more than \d+ bytes/,
  });
});

test("a script that is no regular file is refused", async () => {
  const refuses = (path: string, message: string) =>
    assert.rejects(readScript(path, [], { PATH }), { code: "not_found", message });
  await refuses("/missing/conf", 'The configuration script "/missing/conf" does not exist');
  for (const path of [scratch, "/dev/null"]) {
    await refuses(path, `The configuration script "${path}" is no regular file`);
  }
});
