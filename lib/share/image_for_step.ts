/** All nodes of a job step get one image: one node leads, the others watch a small directory. */

import path from "node:path";
import { DenrootError, throwIfAborted } from "../errors.ts";
import { Backoff } from "../system/files/backoff.ts";
import { namesIn } from "../system/files/names_in.ts";
import { findOrMake, MissingImage, pause, type PlacedImage } from "./find_or_make.ts";
import { imageAt } from "./finished_images.ts";
import {
  describeNode,
  type GenerationLease,
  readLease,
  takeGeneration,
} from "./generation_lease.ts";
import { imageKey } from "./image_key.ts";
import { isPermanent } from "./is_permanent.ts";
import { type Notice, Notices } from "./notices.ts";
import type { ShareTask } from "./share_image.ts";
import { asShareTrouble, ShareTrouble } from "./share_trouble.ts";
import { nameOfRequest, type Step } from "./step.ts";
import { tidyTierDaily } from "./tidy_tier.ts";
import { makePart, partOf, type Share, type Tier } from "./tier.ts";

/**
 * For so long the other nodes leave it to the first one to lead. Among them, a node that can only read,
 * and did not find the image, waits for so long for one that can write.
 */
const GRACE_MS = 3000;

/** A node that failed lets others try before it tries again. */
const AFTER_FAILURE_MS = 5000;
/** How many nodes may fail before the step does. */
const MAX_FAILURES = 3;

/** Throws {@link ShareTrouble}, and what an import throws, on this node or on the one that leads. */
export async function imageForStep(
  share: Share,
  own: Tier,
  step: Step,
  task: ShareTask,
): Promise<PlacedImage> {
  return await new StepMember(share, own, step, task).image();
}

class StepMember {
  readonly #share: Share;
  readonly #own: Tier;
  readonly #step: Step;
  readonly #task: ShareTask;
  readonly #directory: string;
  readonly #notices: Notices;
  readonly #graceEndsMs = performance.now() + GRACE_MS;
  #restsUntilMs = 0;
  /** Why this node, which can only read, has no image. */
  #missing: MissingImage | undefined;
  /** The generation of the leader that this node has named. */
  #told = 0;

  constructor(share: Share, own: Tier, step: Step, task: ShareTask) {
    this.#share = share;
    this.#own = own;
    this.#step = step;
    this.#task = task;
    // The digest in this key is no image's: the options alone count.
    const options = imageKey("sha256:0", task.settings) + JSON.stringify(task.platform);
    const names = [step.name, nameOfRequest(task.uri, options)];
    this.#directory = own.isWritable
      ? makePart(own, "steps", ...names)
      : partOf(own, "steps", ...names);
    this.#notices = new Notices(this.#directory, task.mark);
  }

  async image(): Promise<PlacedImage> {
    const { signal } = this.#task;
    const pauses = new Backoff();
    for (let isFirstLook = true;; isFirstLook = false) {
      throwIfAborted(signal);
      const notice = this.#read();
      if (notice.isReady) return this.#ready() ?? await this.#findOrMake();
      if (notice.verdict !== "none" && !(isFirstLook && this.#notices.isOldVerdict(notice))) {
        throw this.#verdict(notice);
      }
      const image = this.#own.isWritable
        ? await this.#asWriter(notice)
        : await this.#asReader(notice);
      if (image !== undefined) return image;
      this.#tellOnce(notice);
      const graceMs = this.#graceEndsMs - performance.now();
      await pause(Math.min(pauses.next(), graceMs > 0 ? graceMs : Infinity), signal);
    }
  }

  async #asWriter(notice: Notice): Promise<PlacedImage | undefined> {
    return this.#mayLead(notice) ? await this.#tryToLead(notice) : undefined;
  }

  /** Asks the registry unless another node does: when the image is there, nobody has to write. */
  async #asReader(notice: Notice): Promise<PlacedImage | undefined> {
    const mayLead = this.#mayLead(notice);
    if (mayLead && this.#missing !== undefined) throw this.#missing;
    if (!mayLead && (notice.state === "held" || this.#missing !== undefined)) return undefined;
    try {
      return await this.#findOrMake();
    } catch (error) {
      if (mayLead || !(error instanceof MissingImage)) throw error;
      this.#missing = error;
      return undefined;
    }
  }

  /** A name that was looked up too early may stay absent for a while: its directory is listed first. */
  #read(): Notice {
    const parent = path.dirname(this.#directory);
    const isThere = this.#own.isWritable ||
      namesIn(path.dirname(parent)).includes(path.basename(parent)) &&
        namesIn(parent).includes(path.basename(this.#directory));
    return isThere
      ? this.#notices.read()
      : { generation: 0, state: "free", failures: 0, isReady: false, verdict: "none", next: 1 };
  }

  /** The image that the leader found or made; undefined when it is gone by now. */
  #ready(): PlacedImage | undefined {
    const record = this.#notices.ready();
    const tier = record?.tier === "site" ? this.#share.site : this.#own;
    if (record === undefined || tier === undefined || /[/\0]/.test(record.name)) return undefined;
    const image = imageAt(tier, record.name);
    return image && { path: image.path, bytes: image.bytes, place: record.tier };
  }

  /** Takes the digest that the step has decided on, if there is one. */
  async #findOrMake(): Promise<PlacedImage> {
    return await findOrMake(this.#share, this.#task, this.#notices);
  }

  #verdict(notice: Notice): Error {
    if (notice.verdict === "error") return this.#notices.error(notice);
    const note = readLease(path.join(this.#directory, `useless.${notice.next - 1}`));
    return new ShareTrouble(`${describeNode(note?.mark ?? "")} could not write to it`);
  }

  #mayLead({ state, verdict, generation }: Notice): boolean {
    const nowMs = performance.now();
    if (nowMs < this.#restsUntilMs) return false;
    if (state === "held" && verdict === "none") {
      return this.#task.watch.isDead(this.#directory, generation);
    }
    if (state !== "free" || verdict !== "none" || this.#step.isFirst) return true;
    return nowMs >= this.#graceEndsMs;
  }

  /** Undefined when another node leads, or when this one failed and others may do better. */
  async #tryToLead(notice: Notice): Promise<PlacedImage | undefined> {
    const { mark, uri, settings } = this.#task;
    const options = { mark, subject: uri, leaseMs: settings.shareLeaseMs };
    const lease = takeGeneration(this.#directory, notice.next, options);
    if (lease === undefined) return undefined;
    try {
      const image = await this.#findOrMake();
      this.#notices.setReady({ tier: image.place, name: path.basename(image.path) });
      lease.end("done");
      tidyTierDaily(this.#own, settings, path.join(this.#directory, "ready"));
      return image;
    } catch (failure) {
      this.#endFailed(lease, notice, asShareTrouble(failure));
      return undefined;
    }
  }

  /** Throws the error, unless it may pass by. */
  #endFailed(lease: GenerationLease, { failures }: Notice, error: unknown): void {
    if (error instanceof ShareTrouble) {
      lease.rename(`useless.${lease.generation}`);
      throw error;
    }
    if (this.#task.signal.aborted || !(error instanceof DenrootError)) {
      lease.end("over");
      throw error;
    }
    if (isPermanent(error) || failures + 1 >= MAX_FAILURES) {
      this.#publishError(lease, error);
      throw error;
    }
    lease.end("failed");
    this.#restsUntilMs = performance.now() + AFTER_FAILURE_MS;
    const message = `${error.message}; another node may try it now`;
    this.#task.onProgress({ type: "log", level: "warn", message });
  }

  #publishError(lease: GenerationLease, error: DenrootError): void {
    try {
      this.#notices.setError(lease.generation, error);
      lease.end("over");
    } catch {
      lease.rename(`useless.${lease.generation}`);
    }
  }

  #tellOnce({ state, generation }: Notice): void {
    if (state !== "held" || generation === this.#told) return;
    this.#told = generation;
    const note = readLease(path.join(this.#directory, `lease.${generation}`));
    const message = `Waiting for ${
      describeNode(note?.mark ?? "")
    }, which gets the image for this step`;
    this.#task.onProgress({ type: "log", level: "info", message });
  }
}
