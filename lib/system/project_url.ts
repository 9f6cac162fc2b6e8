/** Where the project's own files are: on the disk, or inside an executable. */

const BUN_ROOT = "file:///$bunfs/";

/** The URL of `path`, a path from the project's root. */
export function projectUrl(path: string): URL {
  const here = import.meta.url;
  // In Bun's executables all modules have the same URL, at the root of a virtual file system.
  return new URL(here.startsWith(BUN_ROOT) ? `./${path}` : `../../${path}`, here);
}

/** Whether this process runs from source and not from an executable. */
export function runsFromSource(): boolean {
  const { Deno: deno } = globalThis as { Deno?: { build: { standalone?: boolean } } };
  return !import.meta.url.startsWith(BUN_ROOT) && deno?.build.standalone !== true;
}
