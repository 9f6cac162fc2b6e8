/** What lies in a share, and who works in it. */

import fs from "node:fs";
import path from "node:path";
import type { Settings } from "../config/settings.ts";
import { DenrootError } from "../errors.ts";
import { fileSystemTime } from "../system/files/leftovers.ts";
import { namesIn } from "../system/files/names_in.ts";
import { parseMark } from "../system/files/process_mark.ts";
import { freeSpace } from "../system/host/free_space.ts";
import type { Digest } from "../types/image.ts";
import { type StoredImage, storedImages } from "./collect_garbage.ts";
import { newestLease, readLease } from "./generation_lease.ts";
import { digestInKey } from "./image_key.ts";
import { ShareTrouble } from "./share_trouble.ts";
import { openShare, partOf, type Share, type Tier } from "./tier.ts";

export interface ListedImage {
  /** Undefined for a file that denroot did not name. */
  readonly digest: Digest | undefined;
  readonly path: string;
  readonly bytes: number;
  readonly used: Date;
  readonly place: "own" | "site";
}

/** A process that holds a lease. */
export interface Work {
  readonly type: "import" | "step";
  /** The name of the step, with a short name of what it asks for; or the key of the image. */
  readonly name: string;
  readonly uri: string;
  /** Undefined, as `pid`, when the lease does not say it. */
  readonly node: string | undefined;
  readonly pid: number | undefined;
  /** By that node's clock. */
  readonly since: Date | undefined;
  /** How long ago its last sign of life was; undefined where the file system does not tell its time. */
  readonly silentSeconds: number | undefined;
}

export interface ShareContents {
  /** The share's directory. */
  readonly path: string;
  readonly images: readonly ListedImage[];
  readonly work: readonly Work[];
  /** Removed images that are still readable. */
  readonly trash: { readonly count: number; readonly bytes: number };
  readonly freeBytes: number;
}

/**
 * Looks into the share of the settings, and changes nothing. Throws code `settings` when there is no
 * share, `file` when it cannot be used.
 */
export function shareContents(settings: Pick<Settings, "sharePath">): ShareContents {
  const directory = requireShare(settings);
  try {
    const share = openShare(directory);
    const { own } = share;
    const trash = own === undefined ? [] : sizesIn(partOf(own, "trash"));
    return {
      path: directory,
      images: imagesOf(share),
      work: own === undefined ? [] : [...workIn(own, "import"), ...workIn(own, "step")],
      trash: { count: trash.length, bytes: trash.reduce((sum, bytes) => sum + bytes, 0) },
      freeBytes: freeSpace(directory).bytes,
    };
  } catch (cause) {
    throw shareError(directory, cause);
  }
}

/** Throws code `settings` where no share is set. */
export function requireShare({ sharePath }: Pick<Settings, "sharePath">): string {
  if (sharePath !== undefined) return sharePath;
  throw new DenrootError("settings", "DENROOT_SHARE_PATH is not set, so there is no share", {
    hint: "Set it in enroot.conf to a directory that all machines mount",
  });
}

/** Makes an error for people; other errors than a share's come through. */
export function shareError(directory: string, cause: unknown): unknown {
  const isShares = cause instanceof ShareTrouble || cause instanceof Error && "syscall" in cause;
  if (!isShares) return cause;
  return new DenrootError("file", `The share ${directory} cannot be used: ${cause.message}`, {
    cause,
    hint: "denroot doctor examines it",
  });
}

function imagesOf({ own, site }: Share): ListedImage[] {
  const listed = (tier: Tier | undefined, place: "own" | "site") =>
    tier === undefined ? [] : storedImages(tier).map((image) => listedImage(tier, place, image));
  return [...listed(site, "site"), ...listed(own, "own")];
}

function listedImage(
  tier: Tier,
  place: "own" | "site",
  { name, key, bytes, used }: StoredImage,
): ListedImage {
  return { digest: digestInKey(key), path: partOf(tier, "images", name), bytes, used, place };
}

function workIn(tier: Tier, type: Work["type"]): Work[] {
  const nowMs = tier.isWritable ? fileSystemTime(tier.root) : undefined;
  const names = type === "import" ? namesIn(partOf(tier, "work")) : requestsOfSteps(tier);
  return names.flatMap((name) => {
    const directory = partOf(tier, type === "import" ? "work" : "steps", name);
    const { generation, state } = newestLease(namesIn(directory));
    const file = path.join(directory, `lease.${generation}`);
    const note = state === "held" ? readLease(file) : undefined;
    const status = fs.statSync(file, { throwIfNoEntry: false });
    if (note === undefined || status === undefined) return [];
    const { host: node, pid } = parseMark(note.mark) ?? {};
    const since = new Date(note.since);
    return [{
      type,
      name,
      uri: note.subject,
      node,
      pid,
      since: Number.isNaN(since.getTime()) ? undefined : since,
      silentSeconds: nowMs && Math.max(0, Math.round((nowMs - status.mtimeMs) / 1000)),
    }];
  });
}

/** `STEP/REQUEST`. */
function requestsOfSteps(tier: Tier): string[] {
  return namesIn(partOf(tier, "steps")).flatMap((step) =>
    namesIn(partOf(tier, "steps", step)).map((request) => `${step}/${request}`)
  );
}

function sizesIn(directory: string): number[] {
  return namesIn(directory).flatMap((name) =>
    fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? []
  );
}
