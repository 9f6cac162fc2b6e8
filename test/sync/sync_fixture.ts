/** Syncs in this process, and layouts with images to sync. */

import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { syncImages, type SyncOptions, type SyncResult } from "../../lib/sync/sync_images.ts";
import type { ProgressEvent } from "../../lib/types/progress.ts";
import { Layout } from "../copy/copy_fixture.ts";
import { type Blob, digestOf, jsonBlob } from "../helpers/image_fixture.ts";
import { newDirectories, scratchDirectory } from "../helpers/scratch.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

type TestSyncOptions = SyncOptions & { readonly log?: string[]; readonly events?: ProgressEvent[] };

/** Syncs that share one cache, in a directory of the calling test file's own. */
export function useSyncs(): {
  readonly scratch: string;
  /** Makes a new directory in `scratch`. */
  newHome(): string;
  sync(
    lists: string | readonly string[],
    to: string,
    options?: TestSyncOptions,
  ): Promise<SyncResult>;
} {
  const scratch = scratchDirectory("syncs");
  const settings = makeSettings({ cachePath: join(scratch, "cache") });
  return {
    scratch,
    newHome: newDirectories(scratch),
    sync: (lists, to, { log, events, ...options } = {}) =>
      syncImages(typeof lists === "string" ? [lists] : lists, to, {
        settings,
        ...options,
        onProgress(event) {
          events?.push(event);
          if (event.type === "log") log?.push(event.message);
        },
      }),
  };
}

/** A layer whose content is the text over and over. */
export function layerOf(text: string, size = 2000): Blob {
  const bytes = Buffer.alloc(size, text);
  return { mediaType: LAYER, digest: digestOf(bytes), size, bytes };
}

/** Adds an image of these layers under a full name, and gives its manifest. */
export function addImage(layout: Layout, name: string, layers: readonly Blob[]): Blob {
  for (const layer of layers) layout.put(layer);
  const descriptor = ({ mediaType, digest, size }: Blob) => ({ mediaType, digest, size });
  const config = layout.put(
    jsonBlob(CONFIG, {
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
  const manifest = layout.put(
    jsonBlob(MANIFEST, {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: descriptor(config),
      layers: layers.map(descriptor),
    }),
  );
  layout.list(manifest, name);
  return manifest;
}

/** A new layout with these images, by their names. */
export function layoutWith(
  path: string,
  images: Readonly<Record<string, readonly Blob[]>>,
): { readonly path: string; readonly digests: Readonly<Record<string, string>> } {
  const layout = new Layout(path);
  const digests = Object.entries(images)
    .map(([name, layers]) => [name, addImage(layout, name, layers).digest] as const);
  return { path, digests: Object.fromEntries(digests) };
}

/** The names in a layout's `index.json`, with the digests that have them. */
export function namesIn(layout: string): Readonly<Record<string, string>> {
  const { manifests } = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  return Object.fromEntries(
    manifests.flatMap((
      { digest, annotations }: { digest: string; annotations?: Record<string, string> },
    ) => {
      const name = annotations?.["org.opencontainers.image.ref.name"];
      return name === undefined ? [] : [[name, digest]];
    }),
  );
}

/** The members of a tar, in their order. */
export function membersOf(archive: string): string[] {
  return execFileSync("tar", ["-tf", archive], { encoding: "utf8" }).trim().split("\n");
}

export function readMember(archive: string, name: string): string {
  return execFileSync("tar", ["-xOf", archive, name], { encoding: "utf8" });
}

/** What became of each image, by the last part of its name. */
export function fates({ images }: SyncResult): Readonly<Record<string, string>> {
  return Object.fromEntries(images.map(({ destination, fate }) => [
    destination.replace(/^.*[/#]/, ""),
    fate,
  ]));
}

export const BASE = layerOf("base", 50_000);
export const APP = "example.org/team/app";
export const WEB = "example.org/other/web";

/** An image list that changes from one run to the next. */
export const FIRST = {
  [`${APP}:1`]: [BASE, layerOf("app 1")],
  [`${WEB}:latest`]: [BASE, layerOf("web 1")],
};
export const SECOND = {
  ...FIRST,
  [`${APP}:2`]: [BASE, layerOf("app 2")],
  [`${WEB}:latest`]: [BASE, layerOf("web 2")],
};
export const THIRD = { ...SECOND, [`${WEB}:latest`]: [BASE, layerOf("web 3")] };

/** What an archive says about itself. */
export function inventoryOf(archive: string) {
  return JSON.parse(readMember(archive, "denroot-inventory.json"));
}
