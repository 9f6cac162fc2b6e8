/** The two sides of a copy, whose errors say which side failed. */

import { DenrootError, type DenrootErrorOptions, type ErrorCode, hasCode } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";
import type { ImageDestination, ImageSource, OpenBlob } from "../types/source.ts";

export type Side = "source" | "destination";

/** An error of one side; its message begins with the side and its URI. */
export class SideError extends DenrootError {
  readonly side: Side;

  constructor(side: Side, code: ErrorCode, message: string, options: DenrootErrorOptions) {
    super(code, message, options);
    this.side = side;
  }
}

/** A place that is read, with errors that name it: the source, or a destination that is looked at. */
export function asSourceSide(source: ImageSource, side: Side = "source"): ImageSource {
  const on = sideOf(side, source.uri);
  const { digest, blob, requireBlob, contentOf, referrers, tags, at } = source;
  return {
    // A short name gets its registry when its image is found.
    get reference() {
      return source.reference;
    },
    get uri() {
      return source.uri;
    },
    root: (signal) => on(() => source.root(signal)),
    ...(digest && { digest: (signal) => on(() => digest.call(source, signal)) }),
    document: (descriptor, signal) => on(() => source.document(descriptor, signal)),
    ...(contentOf &&
      { contentOf: (image, signal) => on(() => contentOf.call(source, image, signal)) }),
    ...(blob && {
      blob: (descriptor, range, signal) =>
        named(blob.call(source, descriptor, range, signal), side, source.uri),
    }),
    ...(requireBlob && {
      requireBlob: (descriptor, signal) => on(() => requireBlob.call(source, descriptor, signal)),
    }),
    place(descriptor) {
      try {
        return source.place?.(descriptor);
      } catch (error) {
        throw ofSide(side, source.uri, error);
      }
    },
    ...(referrers && {
      referrers: (digest, signal) => on(() => referrers.call(source, digest, signal)),
    }),
    ...(tags && { tags: (signal) => on(() => tags.call(source, signal)) }),
    ...(at && { at: (tag) => asSourceSide(at.call(source, tag), side) }),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

/** The destination, with errors that name it. */
export function asDestinationSide(destination: ImageDestination): ImageDestination {
  const on = sideOf("destination", destination.uri);
  const { at, currentId, mount, finish, takesOnlyImages, commitStoresRoot } = destination;
  return {
    uri: destination.uri,
    ...(takesOnlyImages && { takesOnlyImages }),
    ...(commitStoresRoot && { commitStoresRoot }),
    ...(at && { at: (name) => asDestinationSide(at.call(destination, name)) }),
    current: (signal) => on(() => destination.current(signal)),
    ...(currentId && { currentId: (signal) => on(() => currentId.call(destination, signal)) }),
    hasBlob: (blob, signal) => on(() => destination.hasBlob(blob, signal)),
    hasDocument: (document, signal) => on(() => destination.hasDocument(document, signal)),
    ...(mount && {
      mount: (blob, from, signal) => on(() => mount.call(destination, blob, from, signal)),
    }),
    // Wrong bytes come from the source.
    putBlob: (blob, open: OpenBlob, signal) =>
      on(() => destination.putBlob(blob, open, signal), "digest"),
    putDocument: (document, signal) => on(() => destination.putDocument(document, signal)),
    commit: (root, options, signal) => on(() => destination.commit(root, options, signal)),
    ...(finish && { finish: (signal) => on(() => finish.call(destination, signal)) }),
    [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
  };
}

/** Does something on a side, and names the side in its errors, but for those with code `except`. */
export function sideOf(
  side: Side,
  uri: string,
): <T>(action: () => Promise<T>, except?: ErrorCode) => Promise<T> {
  return async (action, except) => {
    try {
      return await action();
    } catch (error) {
      throw hasCode(error, except ?? "aborted") ? error : ofSide(side, uri, error);
    }
  };
}

async function* named(
  bytes: AsyncIterable<Uint8Array>,
  side: Side,
  uri: string,
): AsyncIterable<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw ofSide(side, uri, error);
  }
}

/** What the user wrote, or did, is told without a side. */
const SELF_EXPLAINING: ReadonlySet<ErrorCode> = new Set(["aborted", "reference", "usage"]);

/** An error that a side has already, and an interruption, stay as they are. */
function ofSide(side: Side, uri: string, error: unknown): unknown {
  if (!(error instanceof DenrootError) || error instanceof SideError) return error;
  if (SELF_EXPLAINING.has(error.code)) return error;
  const where = side === "source" ? "The source" : "The destination";
  const message = `${where} ${plainText(uri, 300)}: ${error.message}`;
  // The setting would count for both sides.
  const option = `add --${side === "source" ? "src" : "dest"}-http`;
  const hint = error.hint?.replace("set ENROOT_ALLOW_HTTP=yes", option);
  return new SideError(side, error.code, message, { cause: error, hint });
}
