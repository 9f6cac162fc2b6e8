/** Containers on a terminal: keys, jobs and sizes reach what runs in them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { containerHome, USERS } from "../helpers/container_home.ts";
import { openTerminal, type Terminal } from "../helpers/terminal.ts";
import { runProgram } from "../helpers/run_program.ts";

const CTRL_C = "\x03";
const CTRL_Z = "\x1a";
const CTRL_D = "\x04";

const user = USERS.at(-1)!;
const { denroot } = containerHome(user);

/** A shell of the host on a terminal; it has job control, as the one of a person. */
async function withTerminal(body: (terminal: Terminal) => Promise<void>): Promise<void> {
  const env = Object.fromEntries(
    Object.entries({ ...denroot.environment(), PS1: "host> ", TERM: "dumb" })
      .filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  const command = denroot.runtime.command.slice(0, -1).join(" ");
  const terminal = openTerminal(`${command} bash --norc --noprofile -i`, {
    cwd: denroot.work,
    env,
  });
  try {
    await terminal.expect(/host> $/);
    await body(terminal);
  } finally {
    await terminal.close();
  }
}

const program = denroot.runtime.command.at(-1)!;

for (const options of ["", "--pid "]) {
  test(`Ctrl-C ends the command in a container ${options}and nothing else`, async () => {
    await withTerminal(async (terminal) => {
      terminal.type(
        `${program} start ${options}box /bin/sh -c 'echo be""gun; sleep 1000'\n`,
      );
      await terminal.expect(/begun/);
      terminal.type(CTRL_C);
      await terminal.expect(/host> $/);
      terminal.type("echo code $?\n");
      await terminal.expect(/code 130\n/);
    });
  });

  test(`Ctrl-Z stops a container ${options}and fg lets it go on`, async () => {
    await withTerminal(async (terminal) => {
      const script = 'echo be""gun; read word; echo got $word';
      terminal.type(`${program} start ${options}box /bin/sh -c '${script}'\n`);
      await terminal.expect(/begun/);
      terminal.type(CTRL_Z);
      await terminal.expect(/Stopped[^]*host> $/);
      terminal.type("jobs; fg\n");
      await terminal.expect(/Stopped[^]*start/);
      terminal.type("word\n");
      await terminal.expect(/got word/);
    });
  });
}

test("a shell in a container sees the terminal's size, and its changes", async () => {
  await withTerminal(async (terminal) => {
    terminal.type(`stty rows 31 cols 87; ${program} start box /bin/sh -c 'stty size'\n`);
    await terminal.expect(/31 87\n/);
    terminal.type("tty\n");
    const tty = /\/dev\/pts\/\d+/.exec(await terminal.expect(/pts[^]*host> $/))![0];
    const script = 'trap "stty size" WINCH; echo be""gun; while :; do sleep 0.1; done';
    terminal.type(`${program} start box /bin/sh -c '${script}'\n`);
    await terminal.expect(/begun/);
    await runProgram("stty", ["-F", tty, "rows", "40", "cols", "90"]);
    await terminal.expect(/40 90\n/);
  });
});

test("a shell without a command is a person's", async () => {
  await withTerminal(async (terminal) => {
    terminal.type(`${program} start box\n`);
    await terminal.expect(/\$ $|# $/);
    terminal.type("tty; echo $((40 + 2))\n");
    await terminal.expect(/\/dev\/pts\/\d+\n42\n/);
    terminal.type(CTRL_D);
    await terminal.expect(/host> $/);
  });
});

test("a container's pipes stay blocking", async () => {
  const { stdout } = await denroot.succeed([
    "start",
    "box",
    "/bin/sh",
    "-c",
    "grep flags /proc/self/fdinfo/1 /proc/self/fdinfo/2",
  ]);
  const flags = [...stdout.matchAll(/flags:\s+([0-7]+)/g)].map((match) => parseInt(match[1]!, 8));
  assert.deepEqual(flags.map((flag) => flag & 0o4000), [0, 0]);
});
