/** The settings of a start, with those that its configuration script has in comments. */

import { readFileSync } from "node:fs";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { parseDirectives } from "../../enroot/parse_directives.ts";
import { DenrootError, messageOf } from "../../errors.ts";
import { requireScript } from "../script/require_script.ts";

/** More than any script has. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Lines such as `#ENROOT_REMAP_ROOT=y` win over the environment. Throws code `not_found` where no
 * regular file has the name, and `file`, `limit` and `settings`.
 */
export async function scriptSettings(script: string | undefined): Promise<Settings> {
  if (script === undefined) return await loadSettings();
  const lines = parseDirectives(readScriptText(script));
  return await loadSettings(undefined, { path: script, lines });
}

function readScriptText(script: string): string {
  const { size } = requireScript(script);
  if (size > MAX_BYTES) {
    throw new DenrootError("limit", `${script} is too large for a configuration script`);
  }
  try {
    return readFileSync(script, "utf8");
  } catch (cause) {
    throw new DenrootError("file", `${script} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
