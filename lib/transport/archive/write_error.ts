/** The errors of writing an archive. */

import { DenrootError, isDiskFull, messageOf, systemCode } from "../../errors.ts";
import { plainText } from "../../text/quote_text.ts";

/** An error of the system becomes one that names the archive; `shown` is its path or engine. */
export function writeError(shown: string, cause: unknown): unknown {
  const code = systemCode(cause);
  if (cause instanceof DenrootError || cause instanceof TypeError || code === "") {
    return cause;
  }
  if (isDiskFull(cause)) {
    return new DenrootError("space", `There is no room left for ${plainText(shown, 300)}`, {
      cause,
    });
  }
  const message = code === "EPIPE"
    ? `The reader of ${plainText(shown, 300)} is gone`
    : `${plainText(shown, 300)} cannot be written: ${messageOf(cause)}`;
  return new DenrootError("file", message, { cause });
}
