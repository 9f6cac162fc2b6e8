/** How a transport stops when the caller says so. */

import { DenrootError } from "../errors.ts";

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortedError(signal);
}

export function abortedError(signal: AbortSignal): DenrootError {
  const reason: unknown = signal.reason;
  if (reason instanceof DenrootError) return reason;
  return new DenrootError("aborted", "Interrupted", { cause: reason });
}
