/** Which commands catch signals: only those that have work to stop. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommandLine } from "../../lib/command/run_command_line.ts";
import { newContext } from "./command_context.ts";

/** Whether a command asks for the abort signal. */
async function asks(args: readonly string[]): Promise<boolean> {
  const { context } = newContext();
  const { signal } = context;
  let hasAsked = false;
  const watched = Object.defineProperty(context, "signal", {
    get() {
      hasAsked = true;
      return signal;
    },
  });
  await runCommandLine(args, watched).catch(() => {});
  return hasAsked;
}

test("a command that only prints leaves signals as they are", async () => {
  for (const args of [["help"], ["version"], ["info"], ["completions", "bash"], ["tags", "-h"]]) {
    assert.equal(await asks(args), false, args.join(" "));
  }
});

test("a command with work to stop asks for the abort", async () => {
  for (const command of ["import", "inspect", "digest", "tags"]) {
    assert.equal(await asks([command, "oci:/nonexistent"]), true, command);
  }
});
