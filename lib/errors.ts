/** The one class of errors that reaches users, with its closed set of codes. */

export type ErrorCode =
  | "usage" // the command line is wrong
  | "reference" // an image reference that breaks a rule
  | "settings" // a setting or configuration file that cannot be used
  | "definition" // an image definition that cannot be read or breaks a rule
  | "credentials" // credentials that cannot be read or are refused, or a helper that fails
  | "not_found" // no such image, tag, blob, file
  | "unsupported" // an image or media type that denroot does not take
  | "platform" // no image for the platform
  | "manifest" // a manifest, index or config that breaks the specification
  | "network" // a connection that failed, also when it was tried again
  | "registry" // a registry that answered with an error
  | "range_unsupported" // a server that ignores ranges
  | "rate_limit" // a registry that takes no more requests for now
  | "digest" // bytes that are not what their digest says
  | "layer" // a layer that cannot be decompressed or read as a tar
  | "limit" // a limit was reached
  | "exists" // the output exists already
  | "busy" // a container that is running, or that another process works on
  | "space" // a disk is too small
  | "file" // a file or directory that cannot be read or written
  | "squashfs" // mksquashfs is missing, failed or complained
  | "aborted"; // the caller's signal stopped the work

export interface DenrootErrorOptions {
  readonly cause?: unknown;
  /** What to do about it: one sentence. */
  readonly hint?: string | undefined;
}

/** What went wrong with which thing. A message is a sentence without a full stop or secrets. */
export class DenrootError extends Error {
  override readonly name = "DenrootError";
  readonly code: ErrorCode;
  readonly hint?: string | undefined;

  constructor(code: ErrorCode, message: string, options: DenrootErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Whether `error` is a {@link DenrootError} with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is DenrootError {
  return error instanceof DenrootError && error.code === code;
}

/** The failure that came first: where closing something failed too, `using` throws both as one error. */
export function firstFailure(error: unknown): unknown {
  let first = error;
  // By its name: not all runtimes have the class.
  while (first instanceof Error && first.name === "SuppressedError" && "suppressed" in first) {
    first = first.suppressed;
  }
  return first;
}

/** Any thrown value's message, for use inside another message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of an error of the system, such as `ENOENT`; empty for anything else that was thrown. */
export function systemCode(error: unknown): string {
  if (error instanceof DenrootError) return "";
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

/** Whether a call failed because there is nothing at its path. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(systemCode(error));
}

/** Whether a call failed because a disk, or this user's quota of it, is used up. */
export function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(systemCode(error));
}

/** An error as plain data, which can pass between threads. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  /** Only a {@link DenrootError} has one. */
  readonly code?: ErrorCode;
  readonly hint?: string | undefined;
  readonly stack?: string | undefined;
  readonly cause?: PlainError | undefined;
}

/** Causes that a plain error keeps; a chain may also be a circle. */
const MAX_CAUSES = 8;

/** Keeps the chain of causes. A thrown value that is no error becomes the message of one. */
export function toPlainError(failure: unknown, maxCauses = MAX_CAUSES): PlainError {
  const error = firstFailure(failure);
  if (!(error instanceof Error)) return { name: "Error", message: messageOf(error) };
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    ...(error instanceof DenrootError && { code: error.code, hint: error.hint }),
    ...(cause !== undefined && maxCauses > 0 && { cause: toPlainError(cause, maxCauses - 1) }),
  };
}

/** Makes the error again: a {@link DenrootError}, or an `Error` with the name that it had. */
export function fromPlainError(plain: PlainError): Error {
  const { name, message, code, hint, stack } = plain;
  const cause = plain.cause && fromPlainError(plain.cause);
  const error = code === undefined
    ? new Error(message, { cause })
    : new DenrootError(code, message, { hint, cause });
  if (stack !== undefined) error.stack = stack;
  if (error.name !== name) Object.defineProperty(error, "name", { value: name });
  return error;
}

/** Throws {@link abortedError} when `signal` has aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortedError(signal);
}

/**
 * The error of work that `signal` stops: the signal's reason if that is a {@link DenrootError}, else
 * one with code `aborted` and the reason as its cause.
 */
export function abortedError(signal: AbortSignal): DenrootError {
  const reason: unknown = signal.reason;
  if (reason instanceof DenrootError) return reason;
  return new DenrootError("aborted", "Interrupted", { cause: reason });
}
