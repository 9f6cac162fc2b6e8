/** What takes the merged entries in one attempt: mksquashfs, or a directory. */

import { type Packer, startPacker } from "../squashfs/packer.ts";
import { removeTree } from "../system/files/remove_tree.ts";
import type { PackJob } from "./pack_job.ts";
import type { EntryOutput } from "./pack_messages.ts";

export interface PackTarget
  extends Pick<Packer, "failure" | "flush" | "finish" | "publish" | "abort" | "close"> {
  /** What the pack worker writes to. */
  readonly output: EntryOutput;
}

/** `rootMode` has the permission bits of the root directory, as far as they are known. */
export async function startTarget(job: PackJob, rootMode: number): Promise<PackTarget> {
  const { output, processors } = job;
  if (output.type === "tree") return await treeTarget(output.path, job);
  const packer = await startPacker(output.target, { ...output.squash, processors, rootMode });
  return Object.assign(packer, {
    output: { type: "tar" as const, descriptor: packer.descriptor, rootMode },
  });
}

/** The pack worker does all of the work. An earlier attempt may have left a part of the tree. */
async function treeTarget(path: string, job: PackJob): Promise<PackTarget> {
  await removeTree(path);
  return {
    output: { type: "tree", path, time: job.allTime ?? job.defaultTime },
    failure: new Promise(() => {}),
    flush() {},
    finish: () => Promise.resolve(path),
    publish: () => Promise.resolve(0),
    abort: () => Promise.resolve(),
    close() {},
  };
}
