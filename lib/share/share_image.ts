/**
 * Gives the path of a finished image that many nodes use: one node makes it in the share, the others
 * wait for it.
 */

import { throwIfAborted } from "../errors.ts";
import { type ImageContext, imageContext, type ImageOptions } from "../image/image_options.ts";
import { formatReference } from "../reference/format_reference.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { processMark } from "../system/files/process_mark.ts";
import type { Reference } from "../types/reference.ts";
import { findOrMake, type PlacedImage } from "./find_or_make.ts";
import { LeaseWatch } from "./generation_lease.ts";
import { imageForStep } from "./image_for_step.ts";
import { importLocally } from "./import_locally.ts";
import { localCopy } from "./local_copy.ts";
import { asShareTrouble, ShareTrouble } from "./share_trouble.ts";
import { currentStep, type Step } from "./step.ts";
import { openShare } from "./tier.ts";

export interface ShareOptions extends ImageOptions {
  /**
   * Processes that name the same step get the same image, and one of them asks the registry. The
   * default is the job step in Slurm's variables.
   */
  readonly step?: string | undefined;
}

export interface SharedImage {
  readonly path: string;
  readonly bytes: number;
  /** `own` and `site`: in the user's or the site's part of the share; `local`: on this machine. */
  readonly place: "own" | "site" | "local";
}

/** What this process asks the share for. */
export interface ShareTask extends ImageContext {
  readonly reference: Reference;
  /** As it was asked for. */
  readonly original: Pick<ShareOptions, "architecture"> & { readonly uri: string };
  /** Canonical, without a user. */
  readonly uri: string;
  readonly step: Step | undefined;
  /** It names this process in all of its leases. */
  readonly mark: string;
  readonly watch: LeaseWatch;
}

/**
 * Finds the image that `uri` names in the share of the settings, or makes it there, or waits for
 * another node that makes it. A share that cannot be used costs a warning: the image is then made on
 * this machine alone.
 *
 * Throws what an import throws, also where another node of the step met it; `aborted` when `signal`
 * aborts.
 */
export async function shareImage(uri: string, options: ShareOptions = {}): Promise<SharedImage> {
  const reference = parseReference(uri);
  const context = await imageContext(options);
  const { settings, signal, onProgress } = context;
  const task: ShareTask = {
    ...context,
    reference,
    original: { uri, architecture: options.architecture },
    uri: formatReference(reference),
    step: currentStep(settings.environment, options.step),
    mark: processMark(),
    watch: new LeaseWatch(settings.shareLeaseMs),
  };
  try {
    if (settings.sharePath !== undefined) {
      return await localCopy(await imageFromShare(settings.sharePath, task), task);
    }
  } catch (error) {
    throwIfAborted(signal);
    if (!(error instanceof ShareTrouble)) throw error;
    const message = `The share ${settings.sharePath} cannot be used (${error.message}): ` +
      "this machine imports the image for itself";
    onProgress({ type: "log", level: "warn", message });
  }
  return await importLocally(task);
}

async function imageFromShare(directory: string, task: ShareTask): Promise<PlacedImage> {
  try {
    const share = openShare(directory);
    return task.step === undefined || share.own === undefined
      ? await findOrMake(share, task)
      : await imageForStep(share, share.own, task.step, task);
  } catch (error) {
    throw asShareTrouble(error);
  }
}
