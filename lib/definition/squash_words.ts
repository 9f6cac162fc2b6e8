/** Which of mksquashfs's options a file that is handed around may give. */

/**
 * How an image is compressed and laid out, and nothing else: others of mksquashfs's options run
 * commands, and read and write files.
 */
const OPTIONS: ReadonlySet<string> = new Set([
  ...["-noI", "-noInodeCompression", "-noId", "-noIdTableCompression"],
  ...["-noD", "-noDataCompression", "-noF", "-noFragmentCompression"],
  ...["-noX", "-noXattrCompression", "-no-xattrs", "-xattrs"],
  ...["-no-fragments", "-always-use-fragments"],
  "-Xhc",
]);

/** They are followed by a value. */
const VALUED_OPTIONS: ReadonlySet<string> = new Set([
  ...["-comp", "-b"],
  ...["-Xalgorithm", "-Xbcj", "-Xcompression-level", "-Xdict-size", "-Xstrategy", "-Xwindow-size"],
]);
const VALUE = /^\w[\w,.%-]*$/;

/** The first word that is none of the allowed options, nor the value of one. */
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
