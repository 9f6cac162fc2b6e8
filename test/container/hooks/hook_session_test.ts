/** Hooks of all kinds in one start: what scripts see, what they change, and how they fail. */

import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { HookSession, type HookSessionOptions } from "../../../lib/container/hooks/hook_session.ts";
import { type DenrootError, hasCode } from "../../../lib/errors.ts";
import type { BuiltInHook, PlannedHook, PlannedMount } from "../../../lib/types/container.ts";
import { hookContext } from "./hook_fixture.ts";

interface SessionFixture {
  readonly session: HookSession;
  readonly directory: string;
  readonly made: readonly PlannedMount[];
  script(name: string, text: string): PlannedHook;
}

async function sessionOf(options: Partial<HookSessionOptions> = {}): Promise<SessionFixture> {
  const { context } = await hookContext();
  const directory = join(context.root.path, "..");
  const made: PlannedMount[] = [];
  const session = new HookSession({
    ...context,
    environment: { PATH: process.env.PATH, FROM_HOST: "yes", ENROOT_ALLOW_HTTP: "no" },
    command: ["run", "me now"],
    variables: [
      { name: "A", value: "old", origin: "image" },
      { name: "A", value: "1", origin: "--env" },
    ],
    mount: (mount) => void made.push(mount),
    ...options,
  });
  const script = (name: string, text: string): PlannedHook => {
    const path = join(directory, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return { name, type: "file", path, reason: "it is executable", runs: true };
  };
  return { session, directory, made, script };
}

const builtIn = (name: string): PlannedHook => ({
  name,
  type: "built-in",
  reason: "a test",
  runs: true,
});

test("a script sees the host, the settings and the container, and changes both files", async () => {
  const { session, directory, script } = await sessionOf();
  await session.run(script(
    "10-site.sh",
    `#!/usr/bin/env bash
set -euo pipefail
echo "this goes nowhere"
[ "$FROM_HOST" = yes ]
[ -z "\${ENROOT_ALLOW_HTTP-}" ]
[ "$ENROOT_REMAP_ROOT" = y ] && [ -z "\${ENROOT_UNSHARE_NET-}" ]
[ -d "$ENROOT_ROOTFS" ] && [ "$ENROOT_PID" = ${process.pid} ]
[ "$(cat "$ENROOT_ENVIRON")" = "A=1" ]
[ ! -s "$ENROOT_MOUNTS" ]
source "$ENROOT_LIBRARY_PATH/common.sh"
common::checkcmd enroot-mount cat
touch "$ENROOT_ROOTFS/touched"
echo "B=two words" >> "$ENROOT_ENVIRON"
echo "/src /dst x-create=dir,bind,ro" >> "$ENROOT_MOUNTS"
`,
  ));
  const path = join(directory, "10-site.sh");
  assert.deepEqual(session.variables, [
    { name: "A", value: "1", origin: "--env" },
    { name: "B", value: "two words", origin: path },
  ]);
  assert.deepEqual(session.mounts, [{
    ...{ source: "/src", target: "/dst", type: "none", pass: 0, origin: path },
    options: ["x-create=dir", "bind", "ro"],
  }]);
  assert.equal(readFileSync(join(directory, "root/touched"), "utf8"), "");
});

test("built-in hooks and scripts see each other's work, in the order in which they run", async () => {
  const hook: BuiltInHook = {
    name: "20-own.sh",
    summary: "",
    when: "",
    reason: () => "",
    run(context) {
      context.setVariable("SEEN", context.variables.get("FROM_SCRIPT") ?? "nothing");
      const line = { type: "none", options: ["bind"], pass: 0 };
      context.mount({ ...line, source: "/now", target: "/now" });
      context.mountLater({ ...line, source: "/late r", target: "/later" });
    },
  };
  const { session, made, script } = await sessionOf({ builtInHooks: [hook] });
  await session.run(script("10-a.sh", '#!/bin/sh\necho FROM_SCRIPT=x >> "$ENROOT_ENVIRON"\n'));
  await session.run(builtIn("20-own.sh"));
  await session.run(script(
    "30-b.sh",
    '#!/bin/sh\ngrep -q "^SEEN=x$" "$ENROOT_ENVIRON" && grep -qF "late\\\\040r" "$ENROOT_MOUNTS"\n',
  ));
  assert.deepEqual(made.map(({ target, origin }) => [target, origin]), [["/now", "20-own.sh"]]);
  assert.deepEqual(session.mounts.map(({ target, origin }) => [target, origin]), [
    ["/later", "20-own.sh"],
  ]);
});

test("hooks() of a configuration script runs in strict bash, with the command", async () => {
  const { session, script } = await sessionOf();
  const conf = script(
    "conf.sh",
    'all="$#,$2"\nhooks() {\n echo "C=$all" >> "$ENROOT_ENVIRON"\n}\n',
  );
  await session.run({ ...conf, type: "script" });
  assert.equal(session.variables.at(-1)!.value, "2,me now");
  const wrong = script("wrong.sh", "hooks() {\n false\n true\n}\n");
  await assert.rejects(session.run({ ...wrong, type: "script" }), /wrong\.sh exited with/);
});

test("a script that names no interpreter is run by bash", async () => {
  const { session, script } = await sessionOf();
  await session.run(script("x.sh", 'echo "D=${BASH_VERSION:+bash}" >> "$ENROOT_ENVIRON"\n'));
  assert.equal(session.variables.at(-1)!.value, "bash");
});

test("a hook that does not run is not run", async () => {
  const { session, script } = await sessionOf();
  await session.run({ ...script("x.sh", "#!/bin/sh\nexit 1\n"), runs: false });
});

test("a script that fails stops the start in enroot's words", async () => {
  const { session, directory, script } = await sessionOf();
  await assert.rejects(session.run(script("x.sh", "#!/bin/sh\nexit 3\n")), {
    message: `${directory}/x.sh exited with return code 3`,
  });
  await assert.rejects(
    session.run(script("y.sh", "#!/bin/sh\nkill -9 $$\n")),
    /exited with return code 137/,
  );
});

test("an interpreter that the machine lacks is named", async () => {
  const { session, script } = await sessionOf();
  for (
    const line of [
      "/opt/nothing/bash",
      "/usr/bin/env no-such-shell",
      "/usr/bin/env -S FOO=1 no-such-shell -e",
    ]
  ) {
    await assert.rejects(
      session.run(script("x.sh", `#! ${line}\n`)),
      (error) =>
        hasCode(error, "not_found") && /needs \S*(bash|no-such-shell), which/.test(error.message),
      line,
    );
  }
});

test("a first line that nobody reads, or that only env understands, stops no script", async () => {
  const { session, script } = await sessionOf();
  const conf = script(
    "conf.sh",
    '#!/opt/enroot batch\nhooks() {\n echo E=1 >> "$ENROOT_ENVIRON"\n}\n',
  );
  await session.run({ ...conf, type: "script" });
  await session.run(
    script("x.sh", '#!/usr/bin/env -S -u FOO sh\necho F=1 >> "$ENROOT_ENVIRON"\n'),
  );
  assert.deepEqual(session.variables.slice(-2).map(({ name }) => name), ["E", "F"]);
});

test("a built-in hook that fails is named, with the cause's code and hint", async () => {
  const hook: BuiltInHook = {
    name: "20-own.sh",
    summary: "",
    when: "",
    reason: () => "",
    run({ root }) {
      root.write("/", new Uint8Array(), 0o644);
    },
  };
  const { session } = await sessionOf({ builtInHooks: [hook] });
  await assert.rejects(
    session.run(builtIn("20-own.sh")),
    (error: DenrootError) =>
      hasCode(error, "file") && /built-in hook 20-own\.sh failed: .*EISDIR/.test(error.message),
  );
});

test("common.sh has the functions that hooks of sites call", async () => {
  const { session, script } = await sessionOf();
  await session.run(script(
    "x.sh",
    `#!/bin/bash
set -euo pipefail
source "$ENROOT_LIBRARY_PATH/common.sh"
name=ann
printf 'hi \${name}, $name \${NOPE}\\n' > "$ENROOT_WORKDIR/t"
[ "$(common::envsubst "$ENROOT_WORKDIR/t")" = 'hi ann, $name ' ]
[ "$(common::realpath /proc/self/root/usr/..)" = / ]
[ "$(common::getpwent | cut -d: -f3)" = ${process.getuid!() === 0 ? 0 : "[0-9]*"} ]
[ "$(common::mountpoint /proc/self/fd)" = /proc ]
common::readstrarray lines $'one\\ntwo'
[ "\${lines[1]}" = two ]
[ "$(common::runparts list .sh "$(dirname "$0")")" = "$0" ]
(common::err gone 2> "$ENROOT_WORKDIR/e") && exit 1
[ "$(cat "$ENROOT_WORKDIR/e")" = "[ERROR] gone" ]
(common::checkcmd nothing-like-this 2> /dev/null) && exit 1
mkdir -p "$ENROOT_TEMP_PATH"
directory=$(common::mktmpdir test)
common::rmall "$directory"
[ ! -e "$directory" ]
`,
  ));
});
