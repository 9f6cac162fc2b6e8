/** The settings of a start, with those that its configuration script has in comments. */

import { readFileSync, statSync } from "node:fs";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { parseDirectives } from "../../enroot/parse_directives.ts";
import { DenrootError, messageOf } from "../../errors.ts";

/** More than any script has. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Lines such as `#ENROOT_REMAP_ROOT=y` win over the environment. Only a regular file is looked at, as
 * another can be read only once. Throws codes `file`, `limit` and `settings`.
 */
export async function scriptSettings(script: string | undefined): Promise<Settings> {
  const status = script === undefined ? undefined : statSync(script, { throwIfNoEntry: false });
  if (script === undefined || !status?.isFile()) return await loadSettings();
  if (status.size > MAX_BYTES) {
    throw new DenrootError("limit", `${script} is too large for a configuration script`);
  }
  let text: string;
  try {
    text = readFileSync(script, "utf8");
  } catch (cause) {
    throw new DenrootError("file", `${script} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return await loadSettings(undefined, { path: script, lines: parseDirectives(text) });
}
