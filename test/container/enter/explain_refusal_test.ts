import assert from "node:assert/strict";
import { test } from "node:test";
import { enterError } from "../../../lib/container/enter/explain_refusal.ts";
import type { SystemFiles } from "../../../lib/system/host/system_files.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSPC = 28;
const sysctl = (name: string) => `/proc/sys/${name.replaceAll(".", "/")}`;

interface Case {
  readonly title: string;
  readonly step: string;
  readonly errno: number;
  readonly files: Readonly<Record<string, string>>;
  readonly message: RegExp;
  readonly hint: RegExp;
}

const cases: readonly Case[] = [
  {
    title: "no user namespaces at all",
    step: "unshare=10020000",
    errno: ENOSPC,
    files: { [sysctl("user.max_user_namespaces")]: "0" },
    message: /make the container's namespaces: ENOSPC$/,
    hint: /user\.max_user_namespaces is 0\..* sysctl -w user\.max_user_namespaces=65536$/,
  },
  {
    title: "too many user namespaces",
    step: "unshare=10020000",
    errno: ENOSPC,
    files: { [sysctl("user.max_user_namespaces")]: "7" },
    message: /ENOSPC$/,
    hint: /in use \(user\.max_user_namespaces is 7\)/,
  },
  {
    title: "Debian's switch",
    step: "unshare=10020000",
    errno: EPERM,
    files: { [sysctl("kernel.unprivileged_userns_clone")]: "0" },
    message: /EPERM$/,
    hint: /sysctl -w kernel\.unprivileged_userns_clone=1$/,
  },
  {
    title: "Ubuntu's AppArmor",
    step: "write=/proc/self/uid_map:0 1000 1",
    errno: EPERM,
    files: { [sysctl("kernel.apparmor_restrict_unprivileged_userns")]: "1" },
    message: /give the container its user: EPERM$/,
    hint: /^AppArmor forbids it .* profile/,
  },
  {
    title: "the seccomp filter of a container around this one",
    step: "unshare=10020000",
    errno: EPERM,
    files: { "/proc/self/status": "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1" },
    message: /EPERM$/,
    hint: /seccomp=unconfined/,
  },
  {
    title: "SELinux",
    step: "ambient",
    errno: EPERM,
    files: { "/sys/fs/selinux/enforce": "1" },
    message: /EPERM$/,
    hint: /SELinux/,
  },
  {
    title: "a chroot",
    step: "unshare=10020000",
    errno: EPERM,
    files: {},
    message: /EPERM$/,
    hint: /chroot/,
  },
  {
    title: "a kernel without user namespaces",
    step: "unshare=10020000",
    errno: EINVAL,
    files: {},
    message: /EINVAL$/,
    hint: /CONFIG_USER_NS/,
  },
];

for (const { title, step, errno, files, message, hint } of cases) {
  test(`an error names what forbids containers, and the remedy: ${title}`, () => {
    const error = enterError(step, errno, machine(files));
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
  });
}

function machine(files: Readonly<Record<string, string>>): SystemFiles {
  return { read: (path) => files[path], exists: (path) => path in files };
}
