/** The options for mksquashfs that a definition may give. */

/**
 * They say how to compress and to lay out an image. Other options of mksquashfs run commands, or read
 * and write files, which a definition from someone else must not do.
 */
const OPTIONS: ReadonlySet<string> = new Set([
  ...["-noI", "-noInodeCompression", "-noId", "-noIdTableCompression"],
  ...["-noD", "-noDataCompression", "-noF", "-noFragmentCompression"],
  ...["-noX", "-noXattrCompression", "-no-xattrs", "-xattrs"],
  ...["-no-fragments", "-always-use-fragments"],
  "-Xhc",
]);

/** These options have a value after them. */
const VALUED_OPTIONS: ReadonlySet<string> = new Set([
  ...["-comp", "-b"],
  ...["-Xalgorithm", "-Xbcj", "-Xcompression-level", "-Xdict-size", "-Xstrategy", "-Xwindow-size"],
]);
const VALUE = /^\w[\w,.%-]*$/;

/** The first word that is neither an allowed option nor the value of one. */
export function forbiddenSquashWord(options: string): string | undefined {
  const words = (options.match(/\S+/g) ?? []).values();
  for (const word of words) {
    if (OPTIONS.has(word)) continue;
    if (!VALUED_OPTIONS.has(word)) return word;
    const value = words.next().value;
    if (value === undefined || !VALUE.test(value)) return value ?? word;
  }
  return undefined;
}
