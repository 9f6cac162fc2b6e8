/**
 * A root file system that appears under its container's name whole, or not at all: it is made in a
 * directory beside it, with a name that `list` does not show.
 */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf, systemCode } from "../errors.ts";
import { keepFresh, staleFiles } from "../system/files/leftovers.ts";
import { processMark } from "../system/files/process_mark.ts";
import { removeTree } from "../system/files/remove_tree.ts";
import { directoryFault } from "../system/files/replacement.ts";
import type { ContainerPlace } from "./container_name.ts";
import { requireIdle } from "./running_containers.ts";

/** A directory that is being made or removed. */
const TEMPORARY = /^\.denroot-(.+)\.root$/;

const ANOTHER = "Set ENROOT_DATA_PATH to a directory that you may write to";

/**
 * Makes ENROOT_DATA_PATH where it does not exist, for this user alone. Throws code `file`, also where
 * nothing can be written.
 */
export async function makeDataDirectory(
  { dataPath }: Pick<Settings, "dataPath">,
): Promise<void> {
  try {
    fs.mkdirSync(dataPath, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw notWritable(dataPath, "made", cause);
  }
  try {
    fs.accessSync(dataPath, fs.constants.W_OK | fs.constants.X_OK);
  } catch (cause) {
    throw notWritable(dataPath, "written to", cause);
  }
  const fault = await directoryFault(dataPath);
  if (fault !== undefined) {
    throw new DenrootError("file", `${dataPath} ${fault}`, { hint: ANOTHER });
  }
}

function notWritable(path: string, deed: string, cause: unknown): DenrootError {
  return new DenrootError("file", `${path} cannot be ${deed}: ${messageOf(cause)}`, {
    cause,
    hint: ANOTHER,
  });
}

/**
 * Removes what commands that were killed left in ENROOT_DATA_PATH. What cannot be removed stays: it
 * may be another user's, and it does no harm.
 */
export async function removeLeftovers({ dataPath }: Pick<Settings, "dataPath">): Promise<void> {
  for (const leftover of staleFiles(dataPath, (name) => TEMPORARY.exec(name)?.[1])) {
    await removeTree(leftover).catch(() => {});
  }
}

/** A path beside the containers, by whose name later runs see whether this process was killed. */
function temporaryPath(dataPath: string): string {
  return path.join(dataPath, `.denroot-${processMark()}.root`);
}

export class NewRoot implements AsyncDisposable {
  /** Where the tree is made. Nothing is there yet. */
  readonly path: string;
  readonly #place: ContainerPlace;
  readonly #letAge: () => void;
  #isPublished = false;

  constructor(place: ContainerPlace) {
    this.#place = place;
    this.path = temporaryPath(path.dirname(place.path));
    this.#letAge = keepFresh(this.path);
  }

  /**
   * Gives the tree its container's name. With `replace` the container that had the name is removed,
   * but not while it is running.
   *
   * Throws codes `exists`, `busy` and `file`; the tree then keeps its temporary name.
   */
  async publish({ replace }: { readonly replace: boolean }): Promise<void> {
    const { path: target } = this.#place;
    if (fs.lstatSync(target, { throwIfNoEntry: false }) === undefined) {
      return this.#rename(target);
    }
    if (!replace) throw containerExists(this.#place);
    requireIdle(this.#place);
    const old = setAside(this.#place);
    try {
      this.#rename(target);
    } catch (error) {
      fs.renameSync(old, target);
      throw error;
    }
    await removeAside(old);
  }

  /** Removes the tree, unless it was published. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#letAge();
    if (!this.#isPublished) await removeTree(this.path);
  }

  #rename(target: string): void {
    try {
      fs.renameSync(this.path, target);
    } catch (cause) {
      const code = systemCode(cause);
      // Another process was faster.
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") {
        throw containerExists(this.#place);
      }
      throw new DenrootError("file", `${target} cannot be written: ${messageOf(cause)}`, { cause });
    }
    this.#isPublished = true;
  }
}

/**
 * Takes a container's name away, so that a removal that is interrupted leaves nothing under it.
 * Gives the path of the tree, for {@link removeAside}. Throws code `file`.
 */
export function setAside(place: ContainerPlace): string {
  requireOwn(place);
  const { path: root } = place;
  const aside = temporaryPath(path.dirname(root));
  try {
    fs.renameSync(root, aside);
  } catch (cause) {
    throw new DenrootError("file", `${root} cannot be removed: ${messageOf(cause)}`, { cause });
  }
  return aside;
}

/**
 * In a directory that users share, one could take another's container its name, and then not remove its
 * files; nor could he see that it runs. Throws code `file`.
 */
export function requireOwn({ path: root }: ContainerPlace): void {
  const user = process.geteuid!();
  const owner = fs.lstatSync(root, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === user || user === 0) return;
  throw new DenrootError("file", `${root} cannot be removed: it belongs to the user ${owner}`, {
    hint: "Ask that user to remove it, or choose another name",
  });
}

/** Removes what {@link setAside} gave. */
export async function removeAside(aside: string): Promise<void> {
  const letAge = keepFresh(aside);
  try {
    // A file or a link may have had the container's name.
    if (fs.lstatSync(aside).isDirectory()) await removeTree(aside);
    else fs.unlinkSync(aside);
  } finally {
    letAge();
  }
}

/** In enroot's words, which scripts look for. */
export function containerExists({ path }: ContainerPlace): DenrootError {
  return new DenrootError("exists", `File already exists: ${path}`, {
    hint: "Use --force to replace it, or --name to choose another name",
  });
}
