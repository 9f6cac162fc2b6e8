/** What forbids namespaces and mounts on this machine, and the remedy. */

import { DenrootError } from "../../errors.ts";
import { forbiddingSettings } from "../../system/host/namespaces.ts";
import { type SystemFiles, systemFiles } from "../../system/host/system_files.ts";
import { SystemError } from "../../system/linux/system_error.ts";

/** What a step of `enter` does, for a person. */
const DEEDS: readonly (readonly [step: RegExp, deed: string])[] = [
  [/^unshare=/, "make the container's namespaces"],
  [/^write=/, "give the container its user"],
  [/^guard=/, "protect its own file from the container"],
  [/^ambient$/, "give the container's preparation its rights"],
  [/^(init|fork)$/, "start another process"],
  [/^run=/, "run itself again"],
];

/** The error of a step of `enter` that failed with the number `errno`. */
export function enterError(
  step: string,
  errno: number,
  files: SystemFiles = systemFiles,
): DenrootError {
  const deed = DEEDS.find(([pattern]) => pattern.test(step))?.[1] ?? `do ${step}`;
  const cause = new SystemError(step, errno);
  return refusal(`This machine does not let denroot ${deed}: ${cause.code}`, cause, files);
}

/** A system call's error for users; any other error stays as it is. */
export function explained(error: unknown, files: SystemFiles = systemFiles): unknown {
  if (!(error instanceof SystemError)) return error;
  return refusal(`The container cannot be prepared: ${error.message}`, error, files);
}

function refusal(message: string, cause: SystemError, files: SystemFiles): DenrootError {
  return new DenrootError("unsupported", message, { cause, hint: hintFor(cause, files) });
}

/** The likeliest reason comes first. */
function hintFor({ code }: SystemError, files: SystemFiles): string | undefined {
  switch (code) {
    case "EPERM":
    case "EACCES":
      return settingHint(files) ?? seccompHint(files) ?? selinuxHint(files) ?? chrootHint();
    case "ENOSPC":
    case "EUSERS":
      return settingHint(files) ?? limitHint(files);
    case "EINVAL":
      return files.exists("/proc/self/ns/user")
        ? undefined
        : "This kernel was built without user namespaces (CONFIG_USER_NS)";
    case "EAGAIN":
    case "ENOMEM":
      return "The limit of processes (ulimit -u) or the memory is used up";
    default:
      return undefined;
  }
}

function settingHint(files: SystemFiles): string | undefined {
  const [setting] = forbiddingSettings(files);
  if (setting === undefined) return undefined;
  const { found, wanted } = setting;
  const remedy = `sysctl -w ${wanted.name}=${wanted.value}`;
  return found.name.includes("apparmor")
    ? `AppArmor forbids it (${found.name} is ${found.value}). An administrator can allow it to ` +
      `denroot by a profile with "userns,", or to all programs: ${remedy}`
    : `${found.name} is ${found.value}. An administrator can allow it: ${remedy}`;
}

function seccompHint(files: SystemFiles): string | undefined {
  if (!/^Seccomp:\s*2$/m.test(files.read("/proc/self/status") ?? "")) return undefined;
  return "A seccomp filter is in force here, as in a container of Docker or Kubernetes. Start that " +
    "container with --security-opt seccomp=unconfined, or with seccompProfile: Unconfined";
}

function selinuxHint(files: SystemFiles): string | undefined {
  if (files.read("/sys/fs/selinux/enforce") !== "1") return undefined;
  return "SELinux is in force here. If its log (ausearch -m avc) shows that it forbids this, an " +
    "administrator can allow it: audit2allow";
}

function chrootHint(): string {
  return "User namespaces are refused inside a chroot and by some security modules; denroot doctor " +
    "shows what it finds";
}

function limitHint(files: SystemFiles): string {
  const limit = files.read("/proc/sys/user/max_user_namespaces") ?? "unknown";
  return `All namespaces that the limit allows are in use (user.max_user_namespaces is ${limit}), ` +
    "or too many lie inside each other";
}
