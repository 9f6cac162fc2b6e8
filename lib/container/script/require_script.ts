/** Looks at the file of a configuration script before anything depends on it. */

import { type Stats, statSync } from "node:fs";
import { DenrootError, isMissing, messageOf } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";

/**
 * Throws code `not_found` where no regular file is, and `file` where it cannot be looked at. A script is
 * read more than once, and so neither a FIFO nor what `<(…)` gives can be one.
 */
export function requireScript(path: string): Stats {
  const name = `The configuration script ${quotePath(path)}`;
  let status: Stats;
  try {
    status = statSync(path);
  } catch (cause) {
    throw isMissing(cause)
      ? new DenrootError("not_found", `${name} does not exist`, { cause, hint: "Check its path" })
      : new DenrootError("file", `${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (status.isFile()) return status;
  throw new DenrootError("not_found", `${name} is no regular file`, {
    hint: "Write it into a file: it is read more than once, which a pipe does not allow",
  });
}
