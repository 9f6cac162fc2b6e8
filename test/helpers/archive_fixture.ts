/** Members of image archives: a test writes them as they are, or damages them first. */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { digestOf, type Image } from "./image_fixture.ts";
import { directory, file, symlink, type TarSpec } from "./tar_fixture.ts";

/** The files that `tar -C DIRECTORY -cf FILE .` packs from a layout directory, sorted by name. */
export function layoutMembers(path: string, prefix = ""): TarSpec[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .map((entry) => [entry.isFile(), join(entry.parentPath, entry.name)] as const)
    .map(([isFile, one]) => [isFile, one, `${prefix}${relative(path, one)}`] as const)
    .map(([isFile, one, name]) => isFile ? file(name, readFileSync(one)) : directory(`${name}/`))
    .sort((one, other) => one.path < other.path ? -1 : 1);
}

interface SavedImage {
  readonly tags: readonly string[] | null;
  /** An image whose layers are not compressed. */
  readonly image: Image;
}

/** An archive as Docker up to version 24 wrote it: a directory a layer; repeated layers are links. */
export function oldDockerArchive(images: readonly SavedImage[]): TarSpec[] {
  const members: TarSpec[] = [];
  const first = new Map<string, string>();
  const manifest = images.map(({ tags, image }, at) => {
    const config = `${hexOf(image.config.digest)}.json`;
    members.push(file(config, image.config.bytes));
    const layers = image.layers.map((layer, index) => {
      const id = hexOf(digestOf(Buffer.from(`${at} ${index}`)));
      const known = first.get(layer.digest);
      members.push(
        directory(`${id}/`),
        file(`${id}/VERSION`, "1.0"),
        file(`${id}/json`, JSON.stringify({ id })),
        known === undefined
          ? file(`${id}/layer.tar`, layer.bytes)
          : symlink(`${id}/layer.tar`, `../${known}/layer.tar`),
      );
      if (known === undefined) first.set(layer.digest, id);
      return `${id}/layer.tar`;
    });
    return { Config: config, RepoTags: tags, Layers: layers };
  });
  return [
    ...members,
    file("manifest.json", JSON.stringify(manifest)),
    file("repositories", "{}"),
  ];
}

/** An archive as Docker 25 and later, and containerd, write it: a layout with the old list beside it. */
export function newDockerArchive(
  image: Image,
  tags: readonly string[],
  members: readonly TarSpec[] = layoutMembers(image.directory),
): TarSpec[] {
  const manifest = [{
    Config: blobName(image.config.digest),
    RepoTags: tags,
    Layers: image.layers.map(({ digest }) => blobName(digest)),
  }];
  return [
    ...members,
    file("manifest.json", JSON.stringify(manifest)),
    file("repositories", "{}"),
  ];
}

export function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** Changes the members of one name. */
export function withMember(
  members: readonly TarSpec[],
  name: string,
  change: (member: TarSpec) => TarSpec | readonly TarSpec[],
): TarSpec[] {
  const changed = members.flatMap((one) => one.path === name ? change(one) : one);
  if (!members.some(({ path }) => path === name)) throw new Error(`There is no member ${name}`);
  return changed;
}

export function withoutMember(members: readonly TarSpec[], name: string): TarSpec[] {
  return withMember(members, name, () => []);
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}
