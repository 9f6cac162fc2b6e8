/** Where an {@link Emission} puts the entries of the merged image. No code. */

import type { EntryHeader } from "../tar/tar_writer.ts";

export interface EntrySink {
  /**
   * Sets the permission bits of the root directory, at most once. Throws `OtherRootMode` when they are
   * needed before the first entry.
   */
  root(mode: number): void;
  /** Begins an entry; `size` bytes of {@link content} must follow for a file. */
  entry(header: EntryHeader): void;
  content(bytes: Uint8Array): void;
  end(): void;
}
