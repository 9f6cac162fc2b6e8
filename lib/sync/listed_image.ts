/** An image that a list names, with the name that it has wherever it goes. */

import { basename } from "node:path";
import { DenrootError } from "../errors.ts";
import { familiarHost } from "../reference/docker_hub.ts";
import { fullName, type ImageName, parseImageName } from "../reference/image_name.ts";
import { plainText, quoteText } from "../text/quote_text.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageSource } from "../types/source.ts";

export interface ListedImage {
  readonly source: ImageSource;
  /** With a tag or a digest; without a registry where nobody said one. */
  readonly name: ImageName;
}

/** `docker.io/library/alpine:3.20`: the name in archives and layouts. */
export function fullNameOf({ registry, repository, tag, digest }: ImageName): string {
  if (registry === undefined) return `${repository}${tag ? `:${tag}` : `@${digest}`}`;
  return fullName({ registry, repository, ...(tag === undefined ? { digest } : { tag }) });
}

/** Throws code `unsupported` for an image of a place that names it in no way that can be kept. */
export function nameOfReference(reference: Reference): ImageName {
  switch (reference.scheme) {
    case "docker": {
      const { registry, repository, tag, digest } = reference;
      return { registry: familiarHost(registry), repository, tag, digest };
    }
    case "oci":
    case "oci-archive": {
      const { path, tag, digest } = reference;
      if (tag !== undefined) return nameInPlace(tag, path);
      if (digest !== undefined) return { repository: repositoryFor(path), digest };
      break;
    }
    case "docker-archive":
      if (reference.image !== undefined) return nameInPlace(reference.image, reference.path);
      break;
    case "dockerd":
    case "docker-daemon":
    case "podman":
    case "containers-storage":
      return withTag(parseImageName(reference.image));
    case "dir":
      return { repository: repositoryFor(reference.path), tag: "latest" };
  }
  throw new DenrootError(
    "unsupported",
    `An image of ${reference.scheme}: needs a tag or a digest in a list`,
  );
}

/** A name in a layout may be a full one, or only a tag. */
export function nameInPlace(name: string, path: string): ImageName {
  if (!/[/:@]/.test(name)) return { repository: repositoryFor(path), tag: name };
  try {
    return withTag(parseImageName(name));
  } catch (cause) {
    throw new DenrootError(
      "unsupported",
      `${plainText(path, 200)} has the image ${quoteText(name)}, which is no name for a registry`,
      { cause },
    );
  }
}

function withTag(name: ImageName): ImageName {
  return name.tag === undefined && name.digest === undefined ? { ...name, tag: "latest" } : name;
}

/** A file's or directory's name as that of a repository. */
function repositoryFor(path: string): string {
  const plain = basename(path.replace(/\/+$/, "")).replace(/(\.tar)?(\.(gz|zst|tgz))?$/, "");
  const name = plain.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return name === "" ? "image" : name;
}
