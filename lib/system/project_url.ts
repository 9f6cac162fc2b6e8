/** Where the project's own files are: as they lie on the disk, or inside an executable. */

const BUN_ROOT = "file:///$bunfs/";

/** The URL of `path`, a path from the project's root. */
export function projectUrl(path: string): URL {
  const here = import.meta.url;
  // In Bun's executables all modules have one URL, at the root of a file system of its own.
  return new URL(here.startsWith(BUN_ROOT) ? `./${path}` : `../../${path}`, here);
}

/** Whether this is the source and not an executable made of it. */
export function runsFromSource(): boolean {
  const { Deno: deno } = globalThis as { Deno?: { build: { standalone?: boolean } } };
  return !import.meta.url.startsWith(BUN_ROOT) && deno?.build.standalone !== true;
}
