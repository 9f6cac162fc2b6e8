/** Decides what an image's own /etc/fstab may mount. An image may come from anyone. */

import { posix } from "node:path";
import { FstabError, fstabLines, parseFstabLine } from "../../enroot/parse_fstab.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { MountLine, PlannedMount } from "../../types/container.ts";
import { hostValue, type PlanInputs } from "./plan_inputs.ts";

const ORIGIN = "/etc/fstab of the image";
/** Far more than any image has volumes; the rest of such a table is not worth a look. */
const LINES_LIMIT = 1000;
/** What would change mounts that the site or the user has made. */
const CHANGING_WORDS: ReadonlySet<string> = new Set(["remount", "x-move", "x-detach"]);

/**
 * By default an image mounts its own directories, which is how volumes become writable, and file
 * systems in memory. Lines that ask for more, or break a rule, are left out with a warning: they must
 * neither give the image the host's files nor keep it from starting.
 */
export function planImageMounts(
  inputs: PlanInputs,
): { readonly mounts: readonly PlannedMount[]; readonly warnings: readonly string[] } {
  const { rootPath, image, request: { settings: { imageMounts } } } = inputs;
  const lines = imageMounts === "none" ? [] : fstabLines(image.fstab ?? "");
  const mounts: PlannedMount[] = [];
  const refused: string[] = [];
  const warnings: string[] = [];
  for (const { number, text } of lines.slice(0, LINES_LIMIT)) {
    try {
      const line = parseFstabLine(text, (name) => hostValue(inputs, name));
      if (line === undefined || (line.pass !== 0 && line.pass !== -1)) continue;
      if (imageMounts === "all") mounts.push({ ...line, origin: ORIGIN });
      else if (isOwn(line, rootPath)) mounts.push({ ...line, origin: ORIGIN, onlyOwn: true });
      else refused.push(`${quoteText(line.source)} on ${quoteText(line.target)}`);
    } catch (error) {
      if (!(error instanceof FstabError)) throw error;
      warnings.push(`${ORIGIN}, line ${number}, is left out: ${error.message}`);
    }
  }
  if (lines.length > LINES_LIMIT) warnings.push(`${ORIGIN} has more than ${LINES_LIMIT} lines`);
  if (refused.length > 0) warnings.push(refusal(refused));
  return { mounts, warnings };
}

/** Whether a line gives the container nothing that the image did not have. */
function isOwn({ source, target, type, options }: MountLine, rootPath: string): boolean {
  if (options.some((word) => CHANGING_WORDS.has(word))) return false;
  // A mount on the root would take the place of all that is in it.
  if (posix.resolve("/", target) === "/") return false;
  const binds = options.includes("bind") || options.includes("rbind");
  if (type === "tmpfs") return !binds;
  const isInside = source === rootPath || source.startsWith(`${rootPath}/`);
  return type === "none" && binds && isInside;
}

const SHOWN_LINES = 3;

function refusal(refused: readonly string[]): string {
  const more = refused.length - SHOWN_LINES;
  const shown = refused.slice(0, SHOWN_LINES).join(", ");
  return `${ORIGIN} asks for more than the image's own directories. This is not mounted: ${shown}` +
    (more > 0 ? ` and ${more} more` : "") + ". DENROOT_IMAGE_MOUNTS=all allows it";
}
