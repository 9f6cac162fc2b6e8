/** What is shown of a process is what ps shows. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { processFacts } from "../../lib/container/process_facts.ts";
import { waitUntil } from "../helpers/run_program.ts";

const CASES: readonly (readonly [title: string, command: readonly [string, ...string[]]])[] = [
  ["a plain one", ["sleep", "300"]],
  ["a nice leader of a session", ["setsid", "nice", "-n", "5", "sleep", "300"]],
  ["one with odd arguments", ["sh", "-c", 'exec "$@"', "sh", "sleep", "300s", "\t1"]],
  ["one without arguments", ["cat"]],
];

for (const [title, [command, ...args]] of CASES) {
  test(`a process shows as in ps: ${title}`, async () => {
    const child = spawn(command, args, { stdio: ["pipe", "ignore", "ignore"] });
    try {
      const pid = child.pid!;
      await waitUntil("it sleeps", () => /^\d+ \((sleep|cat)\) S /.test(statOf(pid)));
      const columns = ["pid", "stat", "mntns", "userns", "args"].map((name) => `${name}:1`);
      const line = execFileSync("ps", ["-p", String(pid), "--no-headers", "-o", columns.join()], {
        // In other locales ps shows odd characters in other ways.
        env: { ...process.env, LC_ALL: "C.UTF-8" },
      });
      const { name, state, mountNamespace, userNamespace, command } = processFacts(pid)!;
      const facts = [pid, state, mountNamespace, userNamespace, command].join(" ");
      assert.equal(facts, line.toString().trimEnd());
      // Deno calls programs by their whole path.
      assert.equal(name, basename(command.split(" ")[0]!));
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  });
}

test("a start is as old as ps says", () => {
  const { seconds, started } = processFacts(process.pid)!;
  assert.ok(Math.abs(Date.now() - started.getTime() - seconds * 1000) < 2000);
  const elapsed = Number(execFileSync("ps", ["-p", String(process.pid), "-o", "etimes="]));
  const after = processFacts(process.pid)!.seconds;
  // It may take seconds until ps runs.
  const shown = `${seconds}, ps ${elapsed}, ${after}`;
  assert.ok(elapsed >= seconds - 2 && elapsed <= after + 2, shown);
});

test("a process that has ended has no facts", () => {
  // Linux gives no process an id that high.
  assert.equal(processFacts(4_194_304), undefined);
});

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}
