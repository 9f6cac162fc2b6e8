/** Parts of the name of an image file. */

import { posix } from "node:path";
import type { ImageName } from "./image_name.ts";

/** `NAME+VERSION`, or `NAME` without a version. */
export function withVersion(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name}+${version}`;
}

/** The base name that the same image gets when it comes from a registry. */
export function imageBaseName({ repository, tag, digest }: ImageName): string {
  const familiar = repository.replace(/^library\/(?=[^/]+$)/, "");
  return withVersion(familiar, digest ?? tag ?? "latest");
}

/** The last part of a directory's path; `image` where the path has none. */
export function directoryBaseName(path: string): string {
  const name = posix.basename(posix.normalize(path));
  return name === "" || name === "." || name === ".." || name === "/" ? "image" : name;
}

/** The name of an archive without the endings that tell its format. */
export function archiveBaseName(path: string): string {
  if (/^\/dev\/(?:stdin|fd\/\d+)$/.test(path)) return "image";
  const name = directoryBaseName(path);
  return name.replace(/(?<=.)\.(?:tar(?:\.(?:gz|zst|zstd))?|tgz|tzst)$/i, "")
    .replace(/(?<=.)\.(?:oci|docker)$/i, "");
}
