/** What the squashfs tools that denroot carries are made of, and the licences of all that it holds. */

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

/** squashfs-tools first, then the libraries in it; nothing when none are carried. */
export function components(): Component[] {
  const text = carriedFile("build/squashfs/components.json");
  return text === undefined ? [] : JSON.parse(text.toString());
}

/** For people. Nothing when no squashfs tools are carried. */
export function licenceTexts(): string | undefined {
  return carriedFile("build/squashfs/notice.txt")?.toString();
}
