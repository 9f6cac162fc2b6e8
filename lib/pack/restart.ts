/** Reasons to begin the packing anew, with what is known now. */

/** The image gives its root directory other permissions than mksquashfs was told. */
export class OtherRootMode extends Error {
  override readonly name = "OtherRootMode";
  readonly mode: number;

  constructor(mode: number) {
    super(`The image's root directory has the mode ${mode.toString(8)}`);
    this.mode = mode;
  }
}
