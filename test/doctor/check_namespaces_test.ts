/** What may forbid user namespaces. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNamespaces } from "../../lib/doctor/check_namespaces.ts";
import { type FakeMachine, fakeMachine, troubles } from "./machine_fixture.ts";

const FILES = {
  "/proc/self/ns/user": "",
  "/usr/bin/newuidmap": "",
  "/etc/subuid": "you:100000:65536\nme:165536:65536",
  "/etc/subgid": "1000:165536:65536",
};

const TABLE: readonly (readonly [title: string, machine: FakeMachine, found: readonly string[]])[] =
  [
    ["all is allowed", { files: FILES }, []],
    ["a kernel without them", { files: {} }, ["warning User namespaces: this kernel has none"]],
    [
      "a sysctl of all kernels",
      { files: { ...FILES, "/proc/sys/user/max_user_namespaces": "0" } },
      [
        "warning User namespaces: forbidden by user.max_user_namespaces = 0",
      ],
    ],
    ["Debian's sysctl", {
      files: { ...FILES, "/proc/sys/kernel/unprivileged_userns_clone": "0" },
    }, ["warning User namespaces: forbidden by kernel.unprivileged_userns_clone = 0"]],
    ["Ubuntu's sysctl", {
      files: { ...FILES, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1" },
    }, ["warning User namespaces: forbidden by kernel.apparmor_restrict_unprivileged_userns = 1"]],
    ["a security module", {
      files: FILES,
      complaintOf: () => Promise.resolve("unshare: unshare failed: Operation not permitted\nmore"),
    }, ["warning User namespaces: cannot be made: unshare failed: Operation not permitted"]],
    ["no unshare", { files: FILES, complaintOf: () => Promise.resolve(undefined) }, [
      "note User namespaces: not forbidden; not tried, for there is no unshare program",
    ]],
    ["no subordinate ids", { files: { "/proc/self/ns/user": "", "/etc/subuid": "me:1:0" } }, [
      "note Subordinate ids: no range in /etc/subuid, no range in /etc/subgid, no newuidmap: " +
      "one user in each container",
    ]],
  ];

for (const [title, machine, found] of TABLE) {
  test(`${title}: ${found[0] ?? "no trouble"}`, async () => {
    assert.deepEqual(troubles(await checkNamespaces(fakeMachine(machine))), found);
  });
}
