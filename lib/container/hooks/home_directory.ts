/** The user's home in a container, made as useradd(8) makes it. */

import type { RootedFiles } from "../../types/container.ts";

/** Deeper and further files of the image's skeleton are left out, and so are larger ones. */
const MAX_DEPTH = 8;
const MAX_FILES = 1000;
const FILE_LIMIT_BYTES = 1024 * 1024;
const DEFAULT_MASK = "077";

export interface HomeOwner {
  readonly name: string;
  /** An absolute path. */
  readonly home: string;
}

/**
 * Makes the home with the files of the skeleton, and the mailbox where the image wants one.
 * `settings` are those of login.defs(5) and useradd(8). What exists stays as it is.
 */
export function makeHome(
  root: RootedFiles,
  { name, home }: HomeOwner,
  settings: ReadonlyMap<string, string>,
): void {
  if (home.startsWith("/") && root.permissions(home) === undefined) {
    if ((settings.get("CREATE_HOME") ?? "yes") === "yes") {
      const mask = parseInt(settings.get("UMASK") ?? DEFAULT_MASK, 8) || 0;
      root.makeDirectory(home, 0o777 & ~mask);
      const budget = { files: MAX_FILES };
      copyBelow(root, settings.get("SKEL") ?? "/etc/skel", home, MAX_DEPTH, budget);
    }
  }
  if (settings.get("CREATE_MAIL_SPOOL") === "yes" && !name.includes("/")) {
    root.makeFile(`${settings.get("MAIL_DIR") ?? "/var/mail"}/${name}`, 0o660);
  }
}

/** Copies what links lead to, and leaves out everything but files and directories. */
function copyBelow(
  root: RootedFiles,
  from: string,
  to: string,
  depth: number,
  budget: { files: number },
): void {
  for (const name of root.list(from)) {
    if (budget.files-- <= 0) return;
    const [source, target] = [`${from}/${name}`, `${to}/${name}`];
    const mode = root.permissions(source);
    if (mode === undefined) continue;
    const content = readOrUndefined(root, source);
    if (content !== undefined) {
      root.write(target, content, mode);
    } else if (depth > 0 && isDirectory(root, source)) {
      root.makeDirectory(target, mode);
      copyBelow(root, source, target, depth - 1, budget);
    }
  }
}

function readOrUndefined(root: RootedFiles, path: string): Uint8Array | undefined {
  try {
    return root.read(path, FILE_LIMIT_BYTES);
  } catch {
    return undefined;
  }
}

function isDirectory(root: RootedFiles, path: string): boolean {
  using held = root.hold(path);
  return held?.isDirectory === true;
}
