/** What a process may do: capabilities(7), no_new_privs. All of it is a matter of single threads. */

import { check, libc } from "./libc_calls.ts";

const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const MAX_CAPABILITIES = 64;
const CAPABILITY_VERSION_3 = 0x20080522;

/** No program that this one becomes gets privileges from setuid bits or file capabilities. */
export function forbidNewPrivileges(): void {
  check(libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl PR_SET_NO_NEW_PRIVS");
}

/** Drops all capabilities for good: the bounding set too, and so the ambient one. */
export function dropCapabilities(): void {
  for (let n = 0; n < MAX_CAPABILITIES; n++) {
    if (libc().prctl(PR_CAPBSET_DROP, n, 0, 0, 0) < 0) break;
  }
  const header = new Uint32Array([CAPABILITY_VERSION_3, 0]);
  check(libc().capset(header, new Uint32Array(6)), "capset");
}

/**
 * Goes on as another user, with one group, for good. All threads do: that is a matter of libc. What
 * `/proc` has of this process then stays closed to it, its own descriptors too.
 */
export function becomeUser(uid: number, gid: number): void {
  check(libc().setgroups(0, 0), "setgroups");
  check(libc().setresgid(gid, gid, gid), "setresgid");
  check(libc().setresuid(uid, uid, uid), "setresuid");
}
