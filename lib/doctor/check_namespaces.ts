/** Whether an unprivileged user may start containers here. */

import { type Finding, Findings } from "./finding.ts";
import type { Machine } from "../system/host/machine.ts";

const START = ["start"];
const SUBJECT = "User namespaces";

/** A switch of the kernel's that may forbid user namespaces. */
interface Switch {
  readonly name: string;
  readonly forbids: string;
  readonly set: string;
  readonly status: "warning" | "note";
}

const SWITCHES: readonly Switch[] = [
  { name: "user.max_user_namespaces", forbids: "0", set: "65536", status: "warning" },
  { name: "user.max_mnt_namespaces", forbids: "0", set: "65536", status: "warning" },
  { name: "kernel.unprivileged_userns_clone", forbids: "0", set: "1", status: "warning" },
  // A profile may still allow them to single programs.
  {
    name: "kernel.apparmor_restrict_unprivileged_userns",
    forbids: "1",
    set: "0",
    status: "warning",
  },
];

export async function checkNamespaces(machine: Machine): Promise<Finding[]> {
  const found = new Findings("Containers");
  if (!machine.exists("/proc/self/ns/user")) {
    found.add("warning", SUBJECT, START, "this kernel has none", "Start containers elsewhere");
    return found.list;
  }
  const closed = SWITCHES.filter(({ name, forbids }) => readSwitch(machine, name) === forbids);
  for (const { name, forbids, set, status } of closed) {
    found.add(
      status,
      SUBJECT,
      START,
      `forbidden by ${name} = ${forbids}`,
      `As root: sysctl -w ${name}=${set}, and in a file of /etc/sysctl.d to keep it`,
    );
  }
  if (closed.length === 0) await tryNamespaces(found, machine);
  checkSubordinateIds(found, machine);
  return found.list;
}

function readSwitch(machine: Machine, name: string): string | undefined {
  return machine.read(`/proc/sys/${name.replaceAll(".", "/")}`);
}

/** The switches do not say all: seccomp filters and security modules forbid them too. */
async function tryNamespaces(found: Findings, machine: Machine): Promise<void> {
  const complaint = await machine.complaintOf("unshare", [
    "--user",
    "--map-root-user",
    "--mount",
    "true",
  ]);
  if (complaint === undefined) {
    found.add("note", SUBJECT, START, "not forbidden; not tried, for there is no unshare program");
  } else if (complaint === "") {
    found.ok(SUBJECT, START, "can be made");
  } else {
    found.add(
      "warning",
      SUBJECT,
      START,
      `cannot be made: ${complaint.split("\n")[0]!.replace(/^unshare: /, "")}`,
      "Inside another container that one must allow them; else look into the kernel's log",
    );
  }
}

/** Only needed for more than one user inside a container: never more than a note. */
function checkSubordinateIds(found: Findings, machine: Machine): void {
  const missing = ["/etc/subuid", "/etc/subgid"].filter((path) => !hasRange(machine, path));
  const subject = "Subordinate ids";
  const helper = ["/usr/bin/newuidmap", "/bin/newuidmap", "/usr/local/bin/newuidmap"]
    .some((path) => machine.exists(path));
  if (missing.length === 0 && helper) {
    found.ok(subject, START, "granted, with newuidmap to use them");
  } else {
    const lacks = [
      ...missing.map((path) => `no range in ${path}`),
      ...(helper ? [] : ["no newuidmap"]),
    ];
    found.add("note", subject, START, `${lacks.join(", ")}: one user in each container`);
  }
}

function hasRange({ read, userName, uid }: Machine, path: string): boolean {
  return (read(path) ?? "").split("\n").some((line) => {
    const [owner, , count] = line.split(":");
    return (owner === userName || owner === String(uid)) && Number(count) > 0;
  });
}
