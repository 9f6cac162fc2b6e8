/** `Reference` to text: the canonical URI. */

import type { Digest } from "../types/image.ts";
import type { Reference, StorageReference } from "../types/reference.ts";
import { DEFAULT_OSTREE_REPOSITORY } from "./parse_ostree_reference.ts";

/**
 * The canonical URI, without the user: `docker://REGISTRY#IMAGE:TAG`, `oci:PATH:TAG`. A digest wins
 * over the tag: `docker://REGISTRY#IMAGE@sha256:…`. Paths, and names of engines' images, stay as
 * they were given.
 */
export function formatReference(reference: Reference): string {
  const { scheme } = reference;
  switch (scheme) {
    case "docker":
      return `docker://${reference.registry}#${reference.repository}${versionOf(reference)}`;
    case "dockerd":
    case "podman":
      return `${scheme}://${reference.image}`;
    case "docker-daemon":
      return `${scheme}:${reference.image}`;
    case "containers-storage":
      return `${scheme}:${formatPlace(reference)}${reference.image}`;
    case "oci":
    case "oci-archive":
      return `${scheme}:${reference.path}${versionOf(reference)}`;
    case "docker-archive":
      return `${scheme}:${reference.path}${versionOf({ ...reference, tag: reference.image })}`;
    case "dir":
      return `${scheme}:${reference.path}`;
    case "ostree":
      return reference.repository === DEFAULT_OSTREE_REPOSITORY
        ? `${scheme}:${reference.image}`
        : `${scheme}:${reference.image}@${reference.repository}`;
    case "path":
      return reference.path;
  }
}

interface Version {
  readonly tag?: string;
  readonly digest?: Digest;
  readonly index?: number;
}

function versionOf({ tag, digest, index }: Version): string {
  if (digest !== undefined) return `@${digest}`;
  if (tag !== undefined) return `:${tag}`;
  return index === undefined ? "" : `:@${index}`;
}

function formatPlace({ driver, root, runRoot, options }: StorageReference): string {
  if (root === undefined) return "";
  const before = driver === undefined ? "" : `${driver}@`;
  const behind = runRoot === undefined ? "" : `+${runRoot}`;
  return `[${before}${root}${behind}${options.length === 0 ? "" : `:${options.join(",")}`}]`;
}
