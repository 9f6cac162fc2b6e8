/** The share of finished images: its file system, its rights, and what works there. */

import fs from "node:fs";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { messageOf } from "../errors.ts";
import { probeShare } from "../share/probe_share.ts";
import { openShare, type Share, type Tier } from "../share/tier.ts";
import { type Mount, mountOf, networkFileSystem } from "../system/host/mount_table.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

const AFFECTED = ["share"];
/** Times that differ by less may come from the caches of a network file system. */
const NOTABLE_CLOCK_MS = 5000;
/** With these, a lock that one node holds is unknown to the others. */
const LOCAL_LOCKS = /^(?:localflock|nolock|local_lock=(?:all|flock|posix))$/;

/** Nothing where no share is set. */
export function checkShare({ sharePath, shareLocalPath }: Settings, machine: Machine): Finding[] {
  const found = new Findings("Share");
  if (sharePath === undefined) return found.list;
  try {
    const share = openShare(sharePath);
    const mount = mountOf(fs.realpathSync(sharePath), machine.read("/proc/self/mountinfo") ?? "");
    checkFileSystem(found, sharePath, mount, machine);
    checkRights(found, share);
    if (share.own?.isWritable) checkWriting(found, share.own);
    checkLocks(found, mount);
    checkLocalPath(found, sharePath, shareLocalPath);
  } catch (error) {
    found.add(
      "warning",
      "DENROOT_SHARE_PATH",
      AFFECTED,
      `${sharePath}: ${messageOf(error)}`,
      "Until then each machine imports for itself",
    );
  }
  return found.list;
}

function checkFileSystem(
  found: Findings,
  sharePath: string,
  mount: Mount | undefined,
  machine: Machine,
): void {
  const { type, freeBytes } = machine.space(sharePath);
  const network = networkFileSystem(type);
  const free = `${(freeBytes / 1e9).toFixed(1)} GB free`;
  const what = `${sharePath}: ${free}, ${network ?? mount?.type ?? "unknown"}`;
  const isLocal = network === undefined &&
    !/^(?:fuse|nfs|ceph|beegfs|lustre|gpfs)/.test(mount?.type ?? "");
  if (!isLocal) return found.ok("DENROOT_SHARE_PATH", AFFECTED, what);
  found.add(
    "note",
    "DENROOT_SHARE_PATH",
    AFFECTED,
    `${what}, which looks like a local disk`,
    "A share saves work only where other machines mount it too",
  );
}

function checkRights(found: Findings, { own, site }: Share): void {
  if (site !== undefined) {
    found.ok("Site's images", AFFECTED, `user ${site.owner} fills ${site.root}, others read it`);
  }
  if (own === undefined) {
    found.add(
      "note",
      "Own images",
      AFFECTED,
      "this user has no place for own images there",
      "An administrator may make the directory users in it, with mode 1777",
    );
  } else if (own.isWritable) {
    found.ok("Own images", AFFECTED, `${own.root}, mode ${own.mode.toString(8)}`);
  } else {
    found.add("note", "Own images", AFFECTED, `${own.root} can be read here, and not written`);
  }
}

function checkWriting(found: Findings, { root }: Tier): void {
  const { hasLinks, excludes, aheadMs } = probeShare(root);
  if (hasLinks) found.ok("Links", AFFECTED, "a link never takes a name that is in use");
  else {
    found.add(
      "note",
      "Links",
      AFFECTED,
      "the file system makes no hard links",
      "Images get names with a random part there; everything works",
    );
  }
  if (excludes) found.ok("O_EXCL", AFFECTED, "of two processes only one makes a file");
  else {
    found.add(
      "warning",
      "O_EXCL",
      AFFECTED,
      "two processes may both make one file",
      "Use another file system: here machines may do the same work twice",
    );
  }
  const seconds = (aheadMs / 1000).toFixed(0);
  if (Math.abs(aheadMs) < NOTABLE_CLOCK_MS) {
    found.ok("Clock", AFFECTED, "it agrees with this machine's");
  } else {
    found.add(
      "note",
      "Clock",
      AFFECTED,
      `the file system's is ${seconds} s ahead of this machine's`,
      "denroot does not compare them, but people and other programs may",
    );
  }
}

function checkLocks(found: Findings, mount: Mount | undefined): void {
  const local = [...mount?.options ?? [], ...mount?.superOptions ?? []].find((option) =>
    LOCAL_LOCKS.test(option)
  );
  if (local === undefined) return;
  found.add(
    "note",
    "flock",
    AFFECTED,
    `locks hold on one machine only (mount option ${local})`,
    "denroot uses no locks there, but scripts with flock may do work twice",
  );
}

function checkLocalPath(found: Findings, sharePath: string, localPath: string | undefined): void {
  if (localPath === undefined) return;
  const device = (directory: string): number => {
    const status = fs.statSync(directory, { throwIfNoEntry: false });
    return status?.dev ?? device(path.dirname(directory));
  };
  if (device(localPath) !== device(sharePath)) {
    return found.ok("DENROOT_SHARE_LOCAL_PATH", AFFECTED, localPath);
  }
  found.add(
    "warning",
    "DENROOT_SHARE_LOCAL_PATH",
    AFFECTED,
    `${localPath} is on the same file system as the share`,
    "Name a directory on a disk of this machine",
  );
}
