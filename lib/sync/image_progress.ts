/** The progress of several images at once: their blobs become one list. */

import type { OnProgress } from "../types/progress.ts";

/** Gives a function that makes the receiver of one image's events. */
export function imageProgress(onProgress: OnProgress): () => OnProgress {
  let count = 0;
  return () => {
    let first: number | undefined;
    return (event) => {
      if (event.type === "copying") {
        first = count;
        count += event.blobs.length;
        onProgress({ ...event, first });
      } else if (event.type === "blob") {
        // Before, these are layers that are compressed, which are not in the list.
        if (first !== undefined) onProgress({ ...event, index: first + event.index });
      } else if (event.type !== "reading") {
        onProgress(event);
      }
    };
  };
}

/** For work that is only planned. */
export function logsOnly(onProgress: OnProgress): OnProgress {
  return (event) => {
    if (event.type === "log") onProgress(event);
  };
}
