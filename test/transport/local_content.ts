/** Reads a blob that the source has in a file on this machine. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import type { Descriptor } from "../../lib/types/image.ts";
import type { ImageSource } from "../../lib/types/source.ts";

export function bytesOf(source: ImageSource, descriptor: Descriptor): Buffer {
  const place = source.place?.(descriptor);
  assert.ok(place?.type === "file", "The blob is not in a file");
  const bytes = Buffer.alloc(descriptor.size);
  const fd = openSync(place.path, "r");
  try {
    assert.equal(readSync(fd, bytes, 0, bytes.length, place.offset), bytes.length);
  } finally {
    closeSync(fd);
  }
  return bytes;
}
