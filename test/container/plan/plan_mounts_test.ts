/** What is mounted into a container, in which order, and who asks for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planMounts } from "../../../lib/container/plan/plan_mounts.ts";
import type { PlanInputs } from "../../../lib/container/plan/plan_inputs.ts";
import { planInputs, ROOT } from "./plan_fixture.ts";

/** No built-in mounts. */
const bare = { "10-system.fstab": "", "20-config.fstab": "" };

function shown(inputs: PlanInputs): string[] {
  return planMounts(inputs).mounts.map(({ source, target, pass, origin }) =>
    `${pass} ${source} ${target} (${origin})`
  );
}

test("the standard mounts are built in, in enroot's order", () => {
  const { mounts } = planMounts(planInputs());
  assert.deepEqual(mounts.map(({ target }) => target), [
    "/proc",
    "/sys",
    "/dev",
    "/tmp",
    "/var/run",
    "/var/lock",
    "/dev/shm",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/machine-id",
  ]);
  assert.ok(mounts.every(({ pass }) => pass === -1));
  assert.equal(mounts[0]!.origin, "built-in 10-system.fstab");
});

test("a site's file takes the place of a built-in one, and an empty one switches it off", () => {
  const system = { "10-system.fstab": "proc /proc proc ro 0 -1", "20-config.fstab": "" };
  assert.deepEqual(shown(planInputs({ system })), [
    "-1 proc /proc (/etc/enroot/10-system.fstab)",
  ]);
});

test("a user's file takes the place of a built-in one, behind the system's files", () => {
  const inputs = planInputs({
    system: { "50-site.fstab": "/site / none bind 0 -1", "20-config.fstab": "" },
    user: { "10-system.fstab": "/mine /mine none bind 0 -1" },
  });
  assert.deepEqual(shown(inputs), [
    "-1 /site / (/etc/enroot/50-site.fstab)",
    "-1 /mine /mine (/home/10-system.fstab)",
  ]);
});

test("a site's other files stand among the built-in ones by name", () => {
  const targets = planMounts(planInputs({ system: { "15-site.fstab": "/s /s none bind 0 -1" } }))
    .mounts.map(({ target }) => target);
  assert.equal(targets.indexOf("/s"), targets.indexOf("/dev/shm") + 1);
});

test("mounts of pass -1 come before those of pass 0, and others never", () => {
  const inputs = planInputs({
    image: {
      fstab: "${ENROOT_ROOTFS}/a /a none bind\n${ENROOT_ROOTFS}/b /b none bind 0 -1\n" +
        "${ENROOT_ROOTFS}/c /c none bind 0 1\n",
    },
    system: { ...bare, "30-s.fstab": "/s0 /s0\n/s1 /s1 none rbind 0 -1\n/s2 /s2 none rbind 0 2" },
    user: { "u.fstab": "/u0 /u0\n/u1 /u1 none rbind 0 -1" },
    script: { path: "/conf", mounts: "/c0 /c0\n", hasHooks: false },
    request: {
      mounts: ["/m0:/m0"],
      definedMounts: { file: "./job", mounts: ["/d0:/d0"] },
    },
    namespaces: { pid: true, net: true },
  });
  assert.deepEqual(shown(inputs), [
    `-1 ${ROOT}/b /b (/etc/fstab of the image)`,
    "-1 /s1 /s1 (/etc/enroot/30-s.fstab)",
    "-1 /u1 /u1 (/home/u.fstab)",
    "-1 none /proc (--pid)",
    "-1 proc /proc (--pid)",
    "-1 none /sys (--net)",
    "-1 sysfs /sys (--net)",
    `0 ${ROOT}/a /a (/etc/fstab of the image)`,
    "0 /s0 /s0 (/etc/enroot/30-s.fstab)",
    "0 /u0 /u0 (/home/u.fstab)",
    "0 /c0 /c0 (mounts() of /conf)",
    "0 /d0 /d0 (./job)",
    "0 /m0 /m0 (--mount)",
  ]);
});

test("scripts and options that ask for an earlier mount are told that it comes too late", () => {
  const inputs = planInputs({
    system: bare,
    script: { path: "/conf", mounts: "/a /b none bind 0 -1", hasHooks: false },
    request: { mounts: ["/c:/d:none:bind:0:-1"] },
  });
  const { mounts, warnings } = planMounts(inputs);
  assert.deepEqual(mounts, []);
  assert.match(warnings[0]!, /mounts\(\) of \/conf: "\/a" is not mounted on "\/b": its pass is -1/);
  assert.match(warnings[1]!, /--mount: "\/c"/);
});

test("variables of the host stand in files, but not in what a script or an option says", () => {
  const inputs = planInputs({
    host: { DATA: "/my data" },
    system: { ...bare, "a.fstab": "${DATA} /d" },
    script: { path: "/conf", mounts: "${DATA} /e", hasHooks: false },
    request: { mounts: ["${DATA}:/f"] },
  });
  assert.deepEqual(planMounts(inputs).mounts.map(({ source }) => source), [
    "/my data",
    "${DATA}",
    "${DATA}",
  ]);
});

test("a wrong line of a file is named with its file, its number and the rule", () => {
  const inputs = planInputs({ system: { ...bare, "a.fstab": "# x\n\n/a /b none bind, ro\n" } });
  assert.throws(() => planMounts(inputs), {
    code: "settings",
    message: '/etc/enroot/a.fstab, line 3: "/a /b none bind, ro" cannot be mounted: ' +
      "only two numbers may follow its four fields",
  });
});

test("a wrong option is named with the rule", () => {
  for (const option of ["/a b:/c", "tmpfs", ":/a"]) {
    assert.throws(() => planMounts(planInputs({ request: { mounts: [option] } })), {
      code: "usage",
      message: new RegExp(`^--mount "${option}" is wrong: `),
    });
  }
});
