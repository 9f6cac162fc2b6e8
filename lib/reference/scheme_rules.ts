/** What the code knows about a scheme. */

import type { Reference } from "../types/reference.ts";

export type Scheme = Reference["scheme"];

/** The kind of reference that a scheme has. */
export type ReferenceOf<S extends Scheme, R = Reference> = R extends { readonly scheme: infer T }
  ? S extends T ? R : never
  : never;

export interface SchemeRules<R extends Reference> {
  /**
   * Reads `text`, whose prefix ends before `start`. Throws code `reference` with the position and
   * the rule that is broken.
   */
  parse(text: string, start: number): R;
  /** The canonical text that follows the prefix. */
  format(reference: R): string;
  /** The name of the image file without `.sqsh`; it may contain `/`. */
  baseName(reference: R): string;
  /** Files and directories whose change makes an image file that was made from them out of date. */
  localFiles?(reference: R): readonly string[];
}
