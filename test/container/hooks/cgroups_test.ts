/** Control groups that a container sees, for both versions of the kernel's interface. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupMounts } from "../../../lib/container/hooks/cgroups.ts";
import { readMounts } from "../../../lib/system/host/mount_table.ts";

const SECOND = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const FIRST = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /slurm /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`;
/** The root of a container has them once more. */
const COPY = "99 90 0:26 / /run/root/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";

interface Case {
  readonly title: string;
  readonly groups: string;
  readonly mountInfo: string;
  readonly above?: boolean;
  readonly freshSys?: boolean;
  readonly expected: readonly string[];
}
const END = "none /sys/fs/cgroup";
const cases: readonly Case[] = [
  {
    title: "the second version has one hierarchy",
    groups: "0::/user.slice/session-1.scope\n",
    mountInfo: SECOND + COPY,
    expected: ["/sys/fs/cgroup/user.slice/session-1.scope /sys/fs/cgroup", END],
  },
  {
    title: "the group above is shown in a step of Slurm",
    groups: "0::/slurm/job_1/step_0/task_0\n",
    mountInfo: SECOND,
    above: true,
    expected: ["/sys/fs/cgroup/slurm/job_1/step_0 /sys/fs/cgroup", END],
  },
  {
    title: "nothing is above the root",
    groups: "0::/\n",
    mountInfo: SECOND,
    above: true,
    expected: ["/sys/fs/cgroup /sys/fs/cgroup", END],
  },
  {
    title: "the first version has a hierarchy for each controller",
    groups: "5:cpu,cpuacct:/a\n4:memory:/slurm/b\n1:name=systemd:/c\n0::/\n",
    mountInfo: FIRST,
    expected: [
      "/sys/fs/cgroup/cpu,cpuacct/a /sys/fs/cgroup/cpu,cpuacct",
      "/sys/fs/cgroup/memory/b /sys/fs/cgroup/memory",
      "/sys/fs/cgroup/systemd/c /sys/fs/cgroup/systemd",
      END,
    ],
  },
  {
    title: "directories of the first version are made on a file system of their own",
    groups: "5:cpu,cpuacct:/a\n",
    mountInfo: FIRST,
    freshSys: true,
    expected: [
      "tmpfs /sys/fs/cgroup",
      "/sys/fs/cgroup/cpu,cpuacct/a /sys/fs/cgroup/cpu,cpuacct",
      END,
    ],
  },
  {
    title: "a group outside of what is mounted is not shown",
    groups: "4:memory:/other\n0::/../..\n",
    mountInfo: FIRST + SECOND,
    expected: [],
  },
  {
    title: "a hierarchy is mounted once",
    groups: "5:cpu:/a\n4:cpuacct:/a\n",
    mountInfo: FIRST,
    expected: ["/sys/fs/cgroup/cpu,cpuacct/a /sys/fs/cgroup/cpu,cpuacct", END],
  },
  { title: "a machine without them shows none", groups: "0::/\n", mountInfo: "", expected: [] },
];
for (const { title, groups, mountInfo, above = false, freshSys = false, expected } of cases) {
  test(`cgroups: ${title}`, () => {
    const mounts = cgroupMounts(groups, readMounts(mountInfo), { above, freshSys });
    assert.deepEqual(mounts.map(({ source, target }) => `${source} ${target}`), expected);
    const binds = mounts.filter(({ source }) => source.startsWith("/"));
    assert.ok(binds.every(({ options }) => options.includes("ro") && options.includes("rbind")));
  });
}
