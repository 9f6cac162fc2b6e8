/** Whether a user without privileges can start containers here. */

import { forbiddingSettings, hasUserNamespaces } from "../system/host/namespaces.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

const START = ["start"];
const SUBJECT = "User namespaces";

export async function checkNamespaces(machine: Machine): Promise<Finding[]> {
  const found = new Findings("Containers");
  if (!hasUserNamespaces(machine)) {
    found.add(
      "warning",
      SUBJECT,
      START,
      "this kernel has none",
      "Start containers on a machine whose kernel has user namespaces",
    );
    return found.list;
  }
  const forbidding = forbiddingSettings(machine);
  for (const { found: { name, value }, wanted } of forbidding) {
    found.add(
      "warning",
      SUBJECT,
      START,
      `the kernel setting ${name} = ${value} forbids them`,
      `As root, run: sysctl -w ${name}=${wanted.value}. To keep this after a reboot, write ` +
        `${name}=${wanted.value} into a file in /etc/sysctl.d`,
    );
  }
  if (forbidding.length === 0) await tryNamespaces(found, machine);
  checkSubordinateIds(found, machine);
  return found.list;
}

/** The kernel's settings do not tell all: seccomp filters and security modules forbid them too. */
async function tryNamespaces(found: Findings, machine: Machine): Promise<void> {
  const complaint = await machine.complaintOf("unshare", [
    "--user",
    "--map-root-user",
    "--mount",
    "true",
  ]);
  if (complaint === undefined) {
    found.add(
      "note",
      SUBJECT,
      START,
      "no kernel setting forbids them, but it was not tried: there is no unshare program",
    );
  } else if (complaint === "") {
    found.ok(SUBJECT, START, "this user can create them");
  } else {
    found.add(
      "warning",
      SUBJECT,
      START,
      `this user cannot create them: ${complaint.split("\n")[0]!.replace(/^unshare: /, "")}`,
      "If this machine is itself a container, that container has to allow them. Otherwise the " +
        "kernel's log (dmesg) may name what forbids them",
    );
  }
}

/** Never more than a note: only containers with more than one user need them. */
function checkSubordinateIds(found: Findings, machine: Machine): void {
  const subject = "Subordinate ids";
  const missing = ["/etc/subuid", "/etc/subgid"].filter((path) => !hasRange(machine, path));
  const hasHelper = ["/usr/bin/newuidmap", "/bin/newuidmap", "/usr/local/bin/newuidmap"]
    .some((path) => machine.exists(path));
  if (missing.length === 0 && hasHelper) {
    found.ok(subject, START, "this user has some, and newuidmap to use them");
    return;
  }
  const lacks = [
    ...(missing.length === 0 ? [] : [`this user has no range in ${missing.join(" or ")}`]),
    ...(hasHelper ? [] : ["there is no newuidmap program"]),
  ];
  found.add("note", subject, START, `${lacks.join(", and ")}: a container can have only one user`);
}

function hasRange({ read, userName, uid }: Machine, path: string): boolean {
  return (read(path) ?? "").split("\n").some((line) => {
    const [owner, , count] = line.split(":");
    return (owner === userName || owner === String(uid)) && Number(count) > 0;
  });
}
