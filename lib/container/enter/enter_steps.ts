/** The words that the carried program `enter` needs to make a container's namespaces. Pure. */

import { CLONE } from "../../system/linux/namespaces.ts";
import type { ContainerNamespaces, IdMap } from "../../types/container.ts";

/**
 * The steps in order, up to the one that runs the program `own`. An image may make
 * denroot's file its command's interpreter, and would reach it through `/proc/self/exe`: so that file
 * becomes read-only. Nothing keeps the host's root from its host's files.
 */
export function enterSteps(
  namespaces: ContainerNamespaces,
  own: { readonly descriptor: number; readonly path: string },
): string[] {
  const { user, pid, net, ipc, uts } = namespaces;
  const flags = [
    CLONE.mount,
    ...(user === undefined ? [] : [CLONE.user]),
    ...(pid ? [CLONE.pid] : []),
    ...(net ? [CLONE.net] : []),
    ...(ipc ? [CLONE.ipc] : []),
    ...(uts ? [CLONE.uts] : []),
  ].reduce((all, flag) => all + flag, 0);
  return [
    `unshare=${flags.toString(16)}`,
    ...(user === undefined ? [] : [...userSteps(user), `guard=${own.descriptor}:${own.path}`]),
    ...(pid ? ["init"] : []),
  ];
}

/** One user and one group are mapped: that needs no privileges, but the kernel asks for "deny". */
function userSteps({ insideUid, outsideUid, insideGid, outsideGid }: IdMap): string[] {
  return [
    "write=/proc/self/setgroups:deny",
    `write=/proc/self/gid_map:${insideGid} ${outsideGid} 1`,
    `write=/proc/self/uid_map:${insideUid} ${outsideUid} 1`,
    // Root of the namespace has all rights anyway, and hands none on to others.
    ...(insideUid === 0 ? [] : ["ambient"]),
  ];
}
