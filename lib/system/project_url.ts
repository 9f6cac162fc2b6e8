/** Where the project's own files are: on the disk, or inside an executable. */

const BUN_ROOT = "file:///$bunfs/";

/** The URL of `path`, a path from the project's root. */
export function projectUrl(path: string): URL {
  const here = import.meta.url;
  // In Bun's executables all modules have the same URL, at the root of a virtual file system.
  return new URL(here.startsWith(BUN_ROOT) ? `./${path}` : `../../${path}`, here);
}

/** The URL of `module`, a path from the project's root that ends in `.ts`. */
export function moduleUrl(module: string): URL {
  return projectUrl(isCompiled() ? module.replace(/\.ts$/, ".js") : module);
}

/** Whether this process runs from source: from no executable, and not from the npm package. */
export function runsFromSource(): boolean {
  return !runsAsExecutable() && !isCompiled();
}

/** Whether the runtime and denroot are one executable. */
export function runsAsExecutable(): boolean {
  const { Deno: deno } = globalThis as { Deno?: { build: { standalone?: boolean } } };
  return import.meta.url.startsWith(BUN_ROOT) || deno?.build.standalone === true;
}

/** The npm package holds JavaScript, for runtimes take no TypeScript from `node_modules`. */
function isCompiled(): boolean {
  return import.meta.url.endsWith("/project_url.js");
}
