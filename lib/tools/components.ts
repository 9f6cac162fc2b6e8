/** The parts of denroot's squashfs tools, and the licences of all that denroot contains. */

import { carriedFile } from "../system/carried_file.ts";

export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** Debian's source package and its version. */
  readonly source: string;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

/** squashfs-tools first, then the libraries in it; empty when denroot carries no tools. */
export function components(): Component[] {
  const text = carriedFile("build/squashfs/components.json");
  return text === undefined ? [] : JSON.parse(text.toString());
}

/** For people. Undefined when denroot carries no squashfs tools. */
export function licenceTexts(): string | undefined {
  return carriedFile("build/squashfs/notice.txt")?.toString();
}
