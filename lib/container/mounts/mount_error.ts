/** Says why a mount failed, and what to do about it. */

import { DenrootError, hasCode, messageOf } from "../../errors.ts";
import { MS } from "../../system/linux/mounts.ts";
import { SystemError } from "../../system/linux/system_error.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { PlannedMount } from "../../types/container.ts";
import type { MountOptions } from "./mount_options.ts";

/** Thrown where one of the two sides of a mount is not there. */
export class MissingSide extends Error {
  readonly side: "source" | "target";

  constructor(side: "source" | "target") {
    super(`no ${side}`);
    this.side = side;
  }
}

/** Thrown where a target has more `..` than directories before them. */
export class LeavesRoot extends Error {}

/** `cause` is what the attempt threw. The error has code `file`, or the cause's own. */
export function mountError(
  line: PlannedMount,
  options: MountOptions,
  cause: unknown,
): DenrootError {
  const { reason, hint } = explain(line, options, cause);
  const verb = options.detach ? "unmounted from" : "mounted on";
  const what = options.detach ? "What is there" : quotePath(line.source);
  return new DenrootError(
    hasCode(cause, "space") ? "space" : "file",
    `${what} cannot be ${verb} ${quotePath(line.target)}, as ${line.origin} asks: ${reason}`,
    { cause, hint },
  );
}

interface Explanation {
  readonly reason: string;
  readonly hint?: string;
}

function explain(line: PlannedMount, options: MountOptions, cause: unknown): Explanation {
  if (cause instanceof MissingSide) return explainMissing(cause.side);
  if (cause instanceof LeavesRoot) {
    return {
      // The kernel's words, which enroot prints.
      reason: "Invalid cross-device link: the target leads out of the container",
      hint: 'Take ".." out of the target',
    };
  }
  if (!(cause instanceof SystemError)) return { reason: messageOf(cause) };
  const { code } = cause;
  const binds = (options.flags & (MS.BIND | MS.REMOUNT)) === MS.BIND;
  if (binds && code === "EINVAL" && (options.flags & MS.REC) === 0) {
    return {
      reason: "other things are mounted below the source",
      hint: 'Use "rbind" in place of "bind"',
    };
  }
  if (code === "ENOTDIR") {
    return {
      reason: "one of the two is a directory, and the other one is a file",
      hint: "Choose another target, or remove the one in the container",
    };
  }
  if (code === "ENODEV") {
    return line.type === "none"
      ? { reason: "the line does not say how", hint: 'Add "bind" or "rbind" to the options' }
      : { reason: `the kernel knows no file system ${quotePath(line.type)}` };
  }
  if (code === "EPERM" && !binds) {
    return {
      reason: "the kernel does not allow it in a user namespace",
      hint: "Only binds and a few file systems, such as tmpfs, can be mounted there",
    };
  }
  return { reason: code };
}

function explainMissing(side: MissingSide["side"]): Explanation {
  return side === "source"
    ? { reason: "this machine has no such source", hint: "Check the path on this machine" }
    : {
      reason: "the container has no such target",
      hint: 'Make it in the container, or add "x-create=dir" or "x-create=file" to the options',
    };
}
