/** Files that denroot carries: inside its executable, or built beside its source. */

import type { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { systemCode } from "../errors.ts";
import { projectUrl } from "./project_url.ts";

/** The content of `path`, a path from the project's root; undefined when this build lacks it. */
export function carriedFile(path: string): Buffer | undefined {
  try {
    return readFileSync(projectUrl(path));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
