/** Tidies up behind a job step on this machine. */

import fs from "node:fs";
import path from "node:path";
import { loadSettings, type Settings } from "../config/settings.ts";
import { removeStale } from "../system/files/leftovers.ts";
import { namesIn } from "../system/files/names_in.ts";
import { lifeOf } from "../system/files/process_mark.ts";
import { newestLease, readLease } from "./generation_lease.ts";
import { localPath, stepPrefix } from "./local_directory.ts";
import { currentStep, type Step } from "./step.ts";
import { openShare, partOf, type Tier } from "./tier.ts";

export interface ReleaseOptions {
  /** The name that was given to the share; the default is the job step in Slurm's variables. */
  readonly step?: string | undefined;
  readonly settings?: Settings | undefined;
}

const IMAGE_MARK = /^\.denroot-(.+)\.sqsh$|^(.+)\.sqsh$/;

/**
 * Removes the images that were made for this step on this machine alone, and what processes of this
 * machine left in the share when they were killed. It may be called any number of times, also when
 * there is nothing to do. Images in the share, and copies of them, stay.
 *
 * Throws code `usage` for a step's name that cannot be one.
 */
export async function releaseStep(options: ReleaseOptions = {}): Promise<void> {
  const settings = options.settings ?? await loadSettings();
  const step = currentStep(settings.environment, options.step);
  if (step === undefined) return;
  removeOf(localPath(settings), stepPrefix(step));
  if (settings.sharePath === undefined) return;
  const { own } = openShare(settings.sharePath);
  if (own?.isWritable) tidy(own, step);
}

function removeOf(directory: string, prefix: string): void {
  for (const name of namesIn(directory)) {
    if (name.startsWith(prefix)) fs.rmSync(path.join(directory, name), { force: true });
  }
}

/**
 * What is known to be dead here need not be waited for elsewhere. Only a step that this machine led
 * is worth a look at the imports: a thousand nodes release a step at the same time.
 */
function tidy(tier: Tier, step: Step): void {
  const requests = namesIn(partOf(tier, "steps", step.name));
  const wasDead = requests.map((name) => endDead(partOf(tier, "steps", step.name, name)));
  if (!wasDead.includes(true)) return;
  for (const key of namesIn(partOf(tier, "work"))) {
    const directory = partOf(tier, "work", key);
    if (endDead(directory)) removeStale(directory, markOf);
  }
}

/** Ends the lease of a process that died on this machine; false when there is none. */
function endDead(directory: string): boolean {
  const { generation, state } = newestLease(namesIn(directory));
  if (state !== "held") return false;
  const lease = path.join(directory, `lease.${generation}`);
  const note = readLease(lease);
  if (note === undefined || lifeOf(note.mark) !== "dead") return false;
  fs.renameSync(lease, path.join(directory, `over.${generation}`));
  return true;
}

function markOf(name: string): string | undefined {
  const [, temporary, finished] = IMAGE_MARK.exec(name) ?? [];
  return temporary ?? finished;
}
