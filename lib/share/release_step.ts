/** Tidies up behind a job step on this machine. */

import fs from "node:fs";
import path from "node:path";
import { loadSettings, type Settings } from "../config/settings.ts";
import { removeStale } from "../system/files/leftovers.ts";
import { lifeOf } from "../system/files/process_mark.ts";
import { newestLease, readLease } from "./generation_lease.ts";
import { localPath, stepPrefix } from "./local_directory.ts";
import { currentStep } from "./step.ts";
import { namesIn, openShare, partOf, type Tier } from "./tier.ts";

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
  if (step !== undefined) removeOf(localPath(settings), stepPrefix(step));
  if (settings.sharePath === undefined) return;
  const { own } = openShare(settings.sharePath);
  if (own?.isWritable) tidy(own);
}

function removeOf(directory: string, prefix: string): void {
  for (const name of namesIn(directory)) {
    if (name.startsWith(prefix)) fs.rmSync(path.join(directory, name), { force: true });
  }
}

/** What is known to be dead here need not be waited for elsewhere. */
function tidy(tier: Tier): void {
  for (const part of ["work", "steps"] as const) {
    for (const key of namesIn(partOf(tier, part))) {
      const directory = partOf(tier, part, key);
      const { generation, state } = newestLease(namesIn(directory));
      if (state !== "held") continue;
      const lease = path.join(directory, `lease.${generation}`);
      const note = readLease(lease);
      if (note === undefined || lifeOf(note.mark) !== "dead") continue;
      fs.renameSync(lease, path.join(directory, `over.${generation}`));
      removeStale(directory, (name) => {
        const [, temporary, finished] = IMAGE_MARK.exec(name) ?? [];
        return temporary ?? finished;
      });
    }
  }
}
