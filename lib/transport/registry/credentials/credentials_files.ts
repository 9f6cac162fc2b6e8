/** The files that credentials are read from. */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../../../config/settings.ts";
import { DenrootError, isMissing, messageOf } from "../../../errors.ts";
import { quotePath } from "../../../text/quote_text.ts";

/** Every file that is read, in this order: the netrc file, then the files of podman and docker. */
export function credentialsFiles(settings: Settings): readonly string[] {
  return [netrcPath(settings), ...authFilePaths(settings.environment)];
}

export function netrcPath({ configPath }: Settings): string {
  return join(configPath, ".credentials");
}

export function authFilePaths(
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const home = env["HOME"] ?? "";
  const paths = [
    env["REGISTRY_AUTH_FILE"],
    env["XDG_RUNTIME_DIR"] && join(env["XDG_RUNTIME_DIR"], "containers/auth.json"),
    join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "containers/auth.json"),
    join(env["DOCKER_CONFIG"] || join(home, ".docker"), "config.json"),
  ];
  return paths.filter((path): path is string => Boolean(path));
}

/** The file's text; undefined where there is no such file. `warn` gets complaints about its mode. */
export async function readCredentialsFile(
  path: string,
  warn: (message: string) => void,
): Promise<string | undefined> {
  try {
    const [text, { mode }] = [await readFile(path, "utf8"), await stat(path)];
    if ((mode & 0o044) !== 0) {
      warn(`Other users can read ${quotePath(path)}: run chmod 600 on it`);
    }
    return text;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new DenrootError(
      "credentials",
      `The credentials file ${quotePath(path)} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}
