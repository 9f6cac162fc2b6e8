/** Options for mksquashfs that no image may be made with, and why. */

import { DenrootError } from "../errors.ts";
import { quoteText } from "../text/quote_text.ts";
import { splitOptions } from "./mksquashfs_call.ts";

/** The compressors that Linux, squashfuse and unsquashfs can all be built with. */
const COMPRESSORS = new Set(["gzip", "lzo", "lz4", "xz", "zstd"]);

/** A reason, and the options that it holds for, without the dash. */
const REFUSED: readonly (readonly [reason: string, names: string])[] = [
  ["it moves the image to where no reader looks for it", "o offset"],
  ["some readers do not take an image that is not padded", "nopad"],
  ["it leaves out files of the image", "e ef max-depth"],
  ["it adds files or changes them", "p pf pd pseudo-dir"],
  [
    "it changes the image's files",
    "a va ta fa af vaf taf faf action log-action true-action false-action action-file " +
    "log-action-file true-action-file false-action-file",
  ],
  ["it puts the files into another directory", "keep-as-directory root-becomes"],
  ["mksquashfs reads the layers from denroot alone", "cpiostyle cpiostyle0 recover sort"],
  [
    "with it mksquashfs packs nothing",
    "h help help-all ha help-option ho help-section hs help-comp Xhelp mem-default",
  ],
];
const REASONS: ReadonlyMap<string, string> = new Map(
  REFUSED.flatMap(([reason, names]) => names.split(" ").map((name) => [name, reason] as const)),
);

/**
 * Says which of the words breaks the image, and why. Options that are not known here are left to
 * mksquashfs: newer versions have more of them.
 */
export function squashOptionMistake(options: string): string | undefined {
  const words = splitOptions(options);
  for (const [at, word] of words.entries()) {
    const name = /^--?(\S+)$/.exec(word)?.[1];
    const reason = name === undefined ? undefined : REASONS.get(name);
    if (reason !== undefined) return `${quoteText(word)} cannot be used: ${reason}`;
    if (name === "comp") {
      const compressor = words[at + 1] ?? "";
      if (!COMPRESSORS.has(compressor)) {
        return `${
          quoteText(`${word} ${compressor}`.trim())
        } cannot be used: the compressors that ` +
          `readers of images know are ${[...COMPRESSORS].join(", ")}`;
      }
    }
  }
  return undefined;
}

/** Throws code `settings` when ENROOT_SQUASH_OPTIONS would make an image that enroot cannot use. */
export function checkSquashOptions(options: string): void {
  const mistake = squashOptionMistake(options);
  if (mistake === undefined) return;
  throw new DenrootError("settings", `ENROOT_SQUASH_OPTIONS: ${mistake}`, {
    hint: "Remove the option, or set ENROOT_SQUASH_OPTIONS to other options",
  });
}
