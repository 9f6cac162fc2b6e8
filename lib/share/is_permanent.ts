/** Whether an error would come again on another node. */

import type { DenrootError, ErrorCode } from "../errors.ts";

/** Another node, or a later time, may do better. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  "network",
  "registry",
  "rate_limit",
  "range_unsupported",
  "squashfs",
  // What the share itself lacks is no such error: this is the cache, or the source.
  "space",
  "file",
  "limit",
  "aborted",
]);

export function isPermanent({ code }: DenrootError): boolean {
  return !TRANSIENT.has(code);
}
