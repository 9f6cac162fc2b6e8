/** A reason to start the packing again. */

/**
 * The root directory of the image has other permissions than those that mksquashfs was started
 * with.
 */
export class OtherRootMode extends Error {
  override readonly name = "OtherRootMode";
  readonly mode: number;

  constructor(mode: number) {
    super(`The image's root directory has the mode ${mode.toString(8)}`);
    this.mode = mode;
  }
}
