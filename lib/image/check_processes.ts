/** Whether an import may have its threads here: the runtime crashes, or hangs, where it lacks one. */

import { DenrootError } from "../errors.ts";
import { ownTasks, type TaskRoom, taskRoom } from "../system/host/task_room.ts";

/** Eleven threads of Bun's and nine of mksquashfs's, with one processor. */
const LEAST_PROCESSES = 20;

/** Throws code `limit`. */
export function checkProcesses(room: TaskRoom | undefined = taskRoom(), own = ownTasks()): void {
  if (room === undefined || room.left + own >= LEAST_PROCESSES) return;
  throw new DenrootError("limit", `There are too few ${room.text}`, {
    hint:
      `An import needs ${LEAST_PROCESSES} at least. End other programs, or raise the limit, or ` +
      "ask the scheduler or the administrator for more",
  });
}
