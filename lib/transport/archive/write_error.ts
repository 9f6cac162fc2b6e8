/** The errors of writing an archive. */

import { DenrootError, isDiskFull, messageOf, systemCode } from "../../errors.ts";
import { plainText } from "../../text/quote_text.ts";

/**
 * An error of the system becomes one that names the archive; `shown` is its path or engine. `left` is
 * what of it stays on the disk for a later run: a path or a pattern.
 */
export function writeError(shown: string, cause: unknown, left?: string): unknown {
  const code = systemCode(cause);
  if (cause instanceof DenrootError || cause instanceof TypeError || code === "") {
    return cause;
  }
  if (isDiskFull(cause)) {
    const another = "Free some space there, or name a place elsewhere";
    return new DenrootError("space", `There is no room left for ${plainText(shown, 300)}`, {
      cause,
      hint: left === undefined
        ? another
        : `${another}. The same command goes on with ${plainText(left, 300)}; remove that if you ` +
          "do not need it",
    });
  }
  const message = code === "EPIPE"
    ? `The reader of ${plainText(shown, 300)} is gone`
    : `${plainText(shown, 300)} cannot be written: ${messageOf(cause)}`;
  return new DenrootError("file", message, { cause });
}
