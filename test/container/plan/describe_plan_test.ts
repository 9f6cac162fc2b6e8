/** A plan as people and programs read it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { describePlan } from "../../../lib/container/plan/describe_plan.ts";
import { makePlan } from "../../../lib/container/plan/make_plan.ts";
import type { PlannedCommand } from "../../../lib/types/container.ts";
import { planInputs } from "./plan_fixture.ts";

const command: PlannedCommand = {
  path: "/bin/sh",
  argv: ["-sh", "-c", 'echo "it\'s"'],
  directory: "/root",
  directoryIsOptional: true,
  environment: [{ name: "HOME", value: "/root", origin: "/etc/passwd of the image" }],
  fileSizeLimitBytes: 512n,
  refusesLogins: false,
};

function plan(dryRun: "text" | "json") {
  return makePlan(planInputs({
    host: { X: "a\nb" },
    image: { environment: "A=1\nB=${X}\n", fstab: "/etc /etc\n" },
    system: { "10-system.fstab": "", "20-config.fstab": "", "10-terminal.env": "", "h.sh": "off" },
    request: { environment: ["A=2"], mounts: ["/m:/m:none:bind,ro"], dryRun },
    namespaces: { net: true },
    builtInHooks: [{ name: "10-a.sh", summary: "", when: "", reason: () => "it must", run() {} }],
  }));
}

test("people see mounts, hooks, variables with their origins, the command, and warnings", () => {
  assert.deepEqual(describePlan(plan("text"), command).split("\n"), [
    "Root: /data/alpine, read-only",
    "",
    "Mounts before the hooks:",
    "  none on /sys (x-create=dir,x-detach,nofail,silent) [--net]",
    "  sysfs on /sys sysfs (x-create=dir,ro,nosuid,nodev,noexec,private) [--net]",
    "",
    "Hooks:",
    "  runs: built-in 10-a.sh (it must)",
    "  does not run: /etc/enroot/h.sh (it is not executable)",
    "",
    "Mounts after the hooks:",
    "  /m on /m (bind,ro) [--mount]",
    "",
    "Environment before the hooks:",
    "  A=2 [--env, not /etc/environment of the image]",
    "  B=a\\u{a}b [/etc/environment of the image]",
    "  HOME=/root [/etc/passwd of the image]",
    "",
    "Command, unless hooks change the files that decide it:",
    `  /bin/sh, as: -sh -c 'echo "it'\\''s"'`,
    "  in /root",
    "",
    "Warnings:",
    "  /etc/fstab of the image asks for more than the image's own directories. This is not " +
    'mounted: "/etc" on "/etc". DENROOT_IMAGE_MOUNTS=all allows it',
    "",
  ]);
});

test("programs see the same", () => {
  const parsed = JSON.parse(describePlan(plan("json"), command));
  assert.deepEqual(Object.keys(parsed), [
    "name",
    "root",
    "writable",
    "namespaces",
    "mounts",
    "hooks",
    "environment",
    "command",
    "warnings",
  ]);
  assert.equal(parsed.mounts.length, 3);
  assert.deepEqual(parsed.environment.at(-1), command.environment[0]);
  assert.equal(parsed.command.fileSizeLimitBytes, "512");
});
