/** One node's work for all: it asks the registry which image it is, and finds or makes that image. */

import { rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { abortedError, DenrootError, hasCode, systemCode, throwIfAborted } from "../errors.ts";
import { outputPath } from "../image/check_output.ts";
import { imagePlace, importTools } from "../image/import_image.ts";
import { packResolved } from "../image/pack_image.ts";
import { resolveImage } from "../image/resolve_image.ts";
import type { BlobCache } from "../store/blob_cache.ts";
import { openCache } from "../store/open_cache.ts";
import { Backoff } from "../system/files/backoff.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest, ResolvedImage } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageSource } from "../types/source.ts";
import { findImage, type FinishedImage, markUsed, publishImage } from "./finished_images.ts";
import {
  describeNode,
  type GenerationLease,
  readLease,
  takeGeneration,
} from "./generation_lease.ts";
import { imageKey } from "./image_key.ts";
import { isPermanent } from "./is_permanent.ts";
import { Notices } from "./notices.ts";
import type { SharedImage, ShareTask } from "./share_image.ts";
import { asShareTrouble, ShareTrouble } from "./share_trouble.ts";
import { tidyTier } from "./tidy_tier.ts";
import { makePart, type Share, type Tier } from "./tier.ts";

export interface PlacedImage extends SharedImage {
  readonly place: "own" | "site";
}

/** This user may not write, and the image is not there. */
export class MissingImage extends ShareTrouble {}

/**
 * Asks the registry, or takes the digest that the step's `notices` have, and finds or makes the image.
 * Throws {@link ShareTrouble}, and what an import throws.
 */
export async function findOrMake(
  share: Share,
  task: ShareTask,
  notices?: Notices,
): Promise<PlacedImage> {
  const { settings, onProgress, signal, platform } = task;
  const temporary = settings.environment.TMPDIR || "/var/tmp";
  using opened = openCache(settings, temporary, onProgress, task.watch.silence);
  const { cache } = opened;
  const reference = withDigest(task.reference, notices?.resolved()?.digest);
  await using source = await openSource(reference, { ...task, blobs: cache });
  const image = await resolveImage(source, platform, signal);
  const { own } = share;
  if (digestForStep(own, notices, image.digest) !== image.digest) {
    const wasToldDigest = reference !== task.reference;
    if (wasToldDigest || reference.scheme !== "docker") throw changedMeanwhile(task.uri);
    return await findOrMake(share, task, notices);
  }
  const key = imageKey(image.digest, settings);
  const found = findPlaced(share, key);
  if (found !== undefined) return found;
  if (own === undefined || !own.isWritable) {
    throw new MissingImage("it lacks the image, and this user may not write to it");
  }
  const made = await new Making(own, key, { image, source, cache, task }).image();
  tidyTier(own, settings);
  return { path: made.path, bytes: made.bytes, place: "own" };
}

/** It is another digest when the tag moved while two nodes asked: the first record counts. */
function digestForStep(
  own: Tier | undefined,
  notices: Notices | undefined,
  digest: Digest,
): Digest {
  const record = own?.isWritable ? notices?.setResolved({ digest }) : notices?.resolved();
  return record?.digest ?? digest;
}

/** Marking comes first: who removes images looks at the mark once more behind the removal. */
function findPlaced({ own, site }: Share, key: string): PlacedImage | undefined {
  const shared = site && findAtSite(site, key);
  if (shared !== undefined) return { path: shared.path, bytes: shared.bytes, place: "site" };
  if (own !== undefined) markUsed(own, key);
  const found = own && findImage(own, key);
  return found && { path: found.path, bytes: found.bytes, place: "own" };
}

/** What the site does not let this user see is not there. */
function findAtSite(site: Tier, key: string): FinishedImage | undefined {
  try {
    return findImage(site, key);
  } catch (error) {
    if (systemCode(error) === "EACCES") return undefined;
    throw error;
  }
}

interface Materials {
  readonly image: ResolvedImage;
  readonly source: ImageSource;
  readonly cache: BlobCache;
  readonly task: ShareTask;
}

/** The making of one image, by this process or by another one. */
class Making {
  readonly #tier: Tier;
  readonly #key: string;
  readonly #materials: Materials;
  readonly #directory: string;
  readonly #notices: Notices;
  /** The generation that this process has waited for. */
  #awaited = 0;

  constructor(tier: Tier, key: string, materials: Materials) {
    this.#tier = tier;
    this.#key = key;
    this.#materials = materials;
    this.#directory = makePart(tier, "work", key);
    this.#notices = new Notices(this.#directory, materials.task.mark);
  }

  async image(): Promise<FinishedImage> {
    const { task } = this.#materials;
    const pauses = new Backoff();
    for (;;) {
      throwIfAborted(task.signal);
      const notice = this.#notices.read();
      if (notice.verdict === "error" && this.#awaited === notice.next - 1) {
        throw this.#notices.error(notice);
      }
      const isFree = notice.state !== "held" || notice.verdict !== "none" ||
        task.watch.isDead(this.#directory, notice.generation);
      if (isFree) {
        const image = findImage(this.#tier, this.#key) ?? await this.#tryToMake(notice.next);
        if (image !== undefined) return image;
        continue;
      }
      this.#tellOnce(notice.generation);
      await pause(pauses.next(), task.signal);
    }
  }

  /** Undefined when another process was faster. */
  async #tryToMake(generation: number): Promise<FinishedImage | undefined> {
    const { mark, uri, settings } = this.#materials.task;
    const lease = takeGeneration(this.#directory, generation, {
      mark,
      subject: uri,
      leaseMs: settings.shareLeaseMs,
    });
    if (lease === undefined) return undefined;
    const file = path.join(this.#directory, `${mark}.sqsh`);
    try {
      // The holder before may have finished between the listing of the images and the lease.
      const image = findImage(this.#tier, this.#key) ?? await this.#make(file);
      lease.end("done");
      return image;
    } catch (error) {
      this.#endFailed(lease, error);
      throw error;
    } finally {
      rmSync(file, { force: true });
    }
  }

  async #make(file: string): Promise<FinishedImage> {
    const { image, source, cache, task } = this.#materials;
    using tools = await importTools(task.settings);
    const output = outputPath(file);
    const place = imagePlace(output, { tools, force: true, settings: task.settings });
    await packResolved(image, place, { ...task, source, cache }).catch((error: unknown) => {
      throw isAbout(error, path.dirname(output)) ? troubleOf(error) : error;
    });
    return publishImage(this.#tier, this.#key, file);
  }

  /** Steps that wait for this image fail with it, when trying again would be in vain. */
  #endFailed(lease: GenerationLease, failure: unknown): void {
    const error = asShareTrouble(failure);
    const { signal } = this.#materials.task;
    try {
      if (error instanceof DenrootError && !signal.aborted && isPermanent(error)) {
        this.#notices.setError(lease.generation, error);
      }
    } catch {
      // The next one meets the error for itself.
    }
    lease.end(signal.aborted ? "over" : "failed");
  }

  #tellOnce(generation: number): void {
    if (this.#awaited === generation) return;
    this.#awaited = generation;
    const note = readLease(path.join(this.#directory, `lease.${generation}`));
    const message = `Waiting for ${describeNode(note?.mark ?? "")}, which imports the image`;
    this.#materials.task.onProgress({ type: "log", level: "info", message });
  }
}

/** Whether it is a matter of the share: errors of an import name the directory that they are about. */
function isAbout(error: unknown, directory: string): error is DenrootError {
  return (hasCode(error, "space") || hasCode(error, "file")) && error.message.includes(directory);
}

function troubleOf(error: DenrootError): ShareTrouble {
  return new ShareTrouble(error.message, { cause: error });
}

/** Waits, or throws code `aborted`. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => {
    throw abortedError(signal);
  });
}

/** The same place of the same name, whatever image its tag names by now. */
function withDigest(reference: Reference, digest: Digest | undefined): Reference {
  return digest !== undefined && reference.scheme === "docker"
    ? { ...reference, digest }
    : reference;
}

/** The step has decided for an image, which its place does not have any more. */
function changedMeanwhile(uri: string): DenrootError {
  return new DenrootError("reference", `${uri} names another image than when this step began`, {
    hint: "Start the step again, or name the image by its digest",
  });
}
