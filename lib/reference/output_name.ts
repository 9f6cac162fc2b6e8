/** `Reference` to the name of the file that an import writes. */

import { posix } from "node:path";
import { DenrootError } from "../errors.ts";
import type { DockerArchiveReference, OciReference, Reference } from "../types/reference.ts";
import { type ImageName, parseImageName } from "./image_name.ts";
import { familiarRepository } from "./parse_docker_reference.ts";

const FILE_NAME_LIMIT = 255;

/**
 * The output's name when none is given, as enroot makes it: `nvidia+pytorch+25.06-py3.sqsh`,
 * `alpine+latest.sqsh`, `alpine+sha256:….sqsh`; for an image on a disk the name of what holds it,
 * with the tag: `pytorch.sqsh`, `pytorch+25.06.sqsh`. It has no `/` and no control characters.
 *
 * Throws code `reference` where no file system could take the name.
 */
export function defaultOutputName(reference: Reference): string {
  const output = `${baseName(reference)}.sqsh`.replaceAll("/", "+");
  if (new TextEncoder().encode(output).length > FILE_NAME_LIMIT) {
    throw new DenrootError(
      "reference",
      `The image's name is too long for a file's: ${output.length} of ${FILE_NAME_LIMIT} characters`,
      { hint: "Name the image file with --output" },
    );
  }
  return output;
}

function baseName(reference: Reference): string {
  switch (reference.scheme) {
    case "docker":
      return withVersion(familiarRepository(reference), reference.digest ?? reference.tag);
    case "dockerd":
    case "docker-daemon":
    case "podman":
      // As enroot names them, registry and all.
      return reference.image.replace(/[:@]/g, "+");
    case "containers-storage":
      return storedName(reference.image);
    case "ostree":
      return imageName(parseImageName(reference.image));
    case "oci":
      return withVersion(directoryName(reference.path), layoutVersion(reference));
    case "oci-archive":
      return withVersion(archiveName(reference.path), layoutVersion(reference));
    case "docker-archive":
      return savedName(reference);
    case "dir":
      return directoryName(reference.path);
    case "path":
      return archiveName(reference.path);
  }
}

function withVersion(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name}+${version}`;
}

/** As of the same image in a registry. */
function imageName({ repository, tag, digest }: ImageName): string {
  const familiar = repository.replace(/^library\/(?=[^/]+$)/, "");
  return withVersion(familiar, digest ?? tag ?? "latest");
}

/** Without the ID that follows a name, or the ID where there is no name. */
function storedName(image: string): string {
  const [name = "", id = ""] = image.split(/@(?=[0-9a-f]+$)/);
  return name === "" ? id : imageName(parseImageName(name));
}

function savedName({ path, image, index }: DockerArchiveReference): string {
  return image === undefined
    ? withVersion(archiveName(path), index?.toString())
    : imageName(parseImageName(image));
}

function layoutVersion({ digest, tag, index }: OciReference): string | undefined {
  return digest ?? tag ?? index?.toString();
}

function directoryName(path: string): string {
  const name = posix.basename(posix.normalize(path));
  return name === "" || name === "." || name === ".." || name === "/" ? "image" : name;
}

/** Without what a name says of the format. */
function archiveName(path: string): string {
  if (/^\/dev\/(?:stdin|fd\/\d+)$/.test(path)) return "image";
  const name = directoryName(path);
  return name.replace(/(?<=.)\.(?:tar(?:\.(?:gz|zst|zstd))?|tgz|tzst)$/i, "")
    .replace(/(?<=.)\.(?:oci|docker)$/i, "");
}
