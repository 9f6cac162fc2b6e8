/** Findings about user namespaces: what may forbid them. */

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
        "warning User namespaces: the kernel setting user.max_user_namespaces = 0 forbids them",
      ],
    ],
    ["Debian's sysctl", {
      files: { ...FILES, "/proc/sys/kernel/unprivileged_userns_clone": "0" },
    }, [
      "warning User namespaces: the kernel setting kernel.unprivileged_userns_clone = 0 forbids them",
    ]],
    ["Ubuntu's sysctl", {
      files: { ...FILES, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1" },
    }, [
      "warning User namespaces: the kernel setting " +
      "kernel.apparmor_restrict_unprivileged_userns = 1 forbids them",
    ]],
    ["a security module", {
      files: FILES,
      complaintOf: () => Promise.resolve("unshare: unshare failed: Operation not permitted\nmore"),
    }, [
      "warning User namespaces: this user cannot create them: unshare failed: Operation not permitted",
    ]],
    ["no unshare", { files: FILES, complaintOf: () => Promise.resolve(undefined) }, [
      "note User namespaces: no kernel setting forbids them, but it was not tried: there is no " +
      "unshare program",
    ]],
    ["no subordinate ids", { files: { "/proc/self/ns/user": "", "/etc/subuid": "me:1:0" } }, [
      "note Subordinate ids: this user has no range in /etc/subuid or /etc/subgid, and " +
      "there is no newuidmap program: a container can have only one user",
    ]],
  ];

for (const [title, machine, found] of TABLE) {
  test(`${title}: ${found[0] ?? "no trouble"}`, async () => {
    assert.deepEqual(troubles(await checkNamespaces(fakeMachine(machine))), found);
  });
}
