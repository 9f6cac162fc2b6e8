/** Images in an ostree repository, laid out as the `ostree:` transport of containers/image does it. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "./run_program.ts";
import type { StorageFixture } from "./storage_fixture.ts";

/** Runs one of ostree's commands; gives what it prints. */
export async function ostree(
  repository: string,
  command: string,
  ...args: readonly string[]
): Promise<string> {
  return (await runProgram("ostree", [command, `--repo=${repository}`, ...args])).stdout;
}

/**
 * Commits the fixture's image as that transport does, on the branch `ociimage/NAME`; gives the
 * manifest. The recipes of the layers' tar streams are taken from a storage.
 */
export async function commitImage(
  fixture: StorageFixture,
  repository: string,
  name: string,
): Promise<string> {
  const directory = fixture.root("dir");
  await runProgram("skopeo", ["copy", "-q", "--format=v2s2", fixture.layout, `dir:${directory}`]);
  await fixture.store("recipes", "vfs", "localhost/rich");
  const manifest = readFileSync(join(directory, "manifest.json"), "utf8");
  const { config, layers } = JSON.parse(manifest) as {
    config: { digest: string };
    layers: { digest: string; size: number }[];
  };
  const records = join(fixture.root("recipes"), "vfs-layers");
  const stored = JSON.parse(readFileSync(join(records, "layers.json"), "utf8")) as Record<
    string,
    string
  >[];
  const { rootfs } = JSON.parse(readFileSync(join(directory, hexOf(config.digest)), "utf8"));
  for (const [index, { digest, size }] of layers.entries()) {
    const diffId = rootfs.diff_ids[index] as string;
    const { id, ["diff-size"]: diffSize } = stored.find((one) => one["diff-digest"] === diffId)!;
    const recipe = readFileSync(join(records, `${id}.tar-split.gz`)).toString("base64");
    const tree = await unpack(join(directory, hexOf(digest)));
    await commitTree(repository, hexOf(digest), tree, {
      "docker.size": size,
      "docker.uncompressed_size": diffSize,
      "docker.uncompressed_digest": diffId,
      "tarsplit.output": recipe,
    });
  }
  const content = fixture.root("config");
  mkdirSync(content);
  writeFileSync(join(content, "content"), readFileSync(join(directory, hexOf(config.digest))));
  await commitTree(repository, hexOf(config.digest), content, { "docker.size": 1 });
  const metadata = { "docker.manifest": manifest, "signatures": 0 };
  await commitTree(repository, name, fixture.root("layout"), metadata);
  return manifest;
}

function commitTree(
  repository: string,
  name: string,
  tree: string,
  metadata: Readonly<Record<string, string | number | undefined>>,
): Promise<string> {
  const strings = Object.entries(metadata)
    .map(([key, value]) => `--add-metadata-string=${key}=${value}`);
  return ostree(repository, "commit", `--branch=ociimage/${name}`, ...strings, tree);
}

async function unpack(layer: string): Promise<string> {
  const directory = `${layer}.unpacked`;
  mkdirSync(directory);
  await runProgram("tar", ["-C", directory, "--gzip", "--xattrs", "-xf", layer]);
  return directory;
}

function hexOf(digest: string): string {
  return digest.slice("sha256:".length);
}
