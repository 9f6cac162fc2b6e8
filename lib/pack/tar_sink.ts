/** Entries as a tar stream down a socket to mksquashfs. */

import { DenrootError } from "../errors.ts";
import type { NativeCalls } from "../system/native_calls.ts";
import { TarWriter } from "../tar/tar_writer.ts";
import type { EntrySink } from "./entry_sink.ts";
import { OtherRootMode } from "./restart.ts";

/** `rootMode` is the one that mksquashfs was started with. */
export function tarSink(native: NativeCalls, descriptor: number, rootMode: number): EntrySink {
  const writer = new TarWriter((bytes) => {
    for (let at = 0; at < bytes.length;) {
      const count = native.write(descriptor, bytes.subarray(at));
      // The main thread adds what mksquashfs itself says.
      if (count < 0) throw new DenrootError("squashfs", "mksquashfs stopped reading");
      at += count;
    }
  });
  return {
    root(mode) {
      if (mode !== rootMode) throw new OtherRootMode(mode);
    },
    entry: (header) => writer.entry(header),
    content: (bytes) => writer.content(bytes),
    end: () => writer.end(),
  };
}
