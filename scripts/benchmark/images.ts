/** The images that the benchmark imports, made from Debian packages and kept for the next time. */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { link, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostArchitecture } from "../../test/helpers/image_fixture.ts";
import { runProgram } from "../../test/helpers/run_program.ts";

/** An OCI layout on disk with all that measuring its import needs. */
export interface BenchImage {
  readonly name: string;
  /** An OCI layout directory; its only image has the tag `latest`. */
  readonly layout: string;
  /** The layers' uncompressed archives, base first. */
  readonly tars: readonly string[];
  readonly blobs: readonly string[];
  readonly storedBytes: number;
  /** The merged tree as one archive; only where the limit is measured. */
  readonly flat?: string;
}

export type ImageName = "packages" | "small-files" | "ten-times" | "million";

/** One layer's packages, with what they depend on that no earlier layer has. */
const packageSets = [
  "base-files bash coreutils apt perl python3 ca-certificates locales",
  "g++ git",
  "python3-numpy python3-scipy python3-pandas python3-matplotlib",
  "openjdk-17-jre-headless",
];

/** What the last layer of the image of packages hides: files, and one directory as a whole. */
const hidden = ["usr/share/doc/.wh..wh..opq", "usr/share/.wh.man", "usr/share/.wh.info"];

const smallFileBytes = 16 * 1024;

export async function makeImage(name: ImageName, work: string): Promise<BenchImage> {
  const home = join(work, name);
  if (!existsSync(join(home, "complete"))) {
    rmSync(home, { recursive: true, force: true });
    mkdirSync(join(home, "tars"), { recursive: true });
    process.stderr.write(`[INFO] Making the image ${name} in ${home}\n`);
    const trees = await packageTrees(work);
    await writeTars(name, home, trees);
    // The images that only memory is measured on are not worth the time of packing them well.
    await writeLayout(home, name === "ten-times" || name === "million" ? 1 : 6);
    if (name === "packages" || name === "small-files") await flatten(home);
    await writeFile(join(home, "complete"), "");
  }
  const tars = listed(join(home, "tars"));
  const blobs = listed(join(home, "compressed"));
  const flat = join(home, "flat.tar");
  return {
    name,
    layout: join(home, "layout"),
    tars,
    blobs,
    storedBytes: blobs.reduce((sum, path) => sum + statSync(path).size, 0),
    ...(existsSync(flat) ? { flat } : {}),
  };
}

async function writeTars(name: ImageName, home: string, trees: readonly string[]): Promise<void> {
  if (name === "packages") {
    for (const [index, tree] of trees.entries()) {
      await tarTree(tree, join(home, "tars", `${index}.tar`));
    }
    await tarTree(await makeTopLayer(home, trees), join(home, "tars", `${trees.length}.tar`));
    return;
  }
  // Copies of all files, or of the small ones, each below a directory of its own.
  const copies = { "small-files": 300_000, "million": 1_000_000, "ten-times": undefined }[name];
  const roots = trees.map((tree) => `'${tree}'`).join(" ");
  const kinds = copies === undefined ? "-not -type d" : `-type f -size -${smallFileBytes}c`;
  const list = join(home, "list");
  await shell(`for root in ${roots}; do
    (cd "$root" && find . ${kinds} -printf '%P\\0' | LC_ALL=C sort -z) > '${list}'."$(basename "$root")"
  done; cat '${list}'.* | tr -cd '\\0' | wc -c > '${list}'`);
  const count = Number((await shell(`cat '${list}'`)).trim());
  const rounds = copies === undefined ? 10 : Math.ceil(copies / count);
  for (let round = 0; round < rounds; round++) {
    const tar = join(home, "tars", `${String(round).padStart(2, "0")}.tar`);
    const parts = trees.map((tree) => {
      const names = `${list}.${tree.split("/").at(-1)}`;
      return `-C '${tree}' --null --files-from='${names}'`;
    });
    await shell(
      `tar -cf '${tar}' --numeric-owner --owner=0 --group=0 --hard-dereference --no-recursion \\
        --transform='s,^,copy-${round}/,rS' ${parts.join(" ")}`,
    );
  }
}

/** A layer of whiteouts and of some files that lower layers have too. */
async function makeTopLayer(home: string, trees: readonly string[]): Promise<string> {
  const top = join(home, "top");
  await shell(`mkdir -p '${top}/usr/share/doc' '${top}/etc' '${top}/usr/bin'
    for name in ${hidden.join(" ")}; do : > "${top}/$name"; done
    echo 'PRETTY_NAME="a benchmark"' > '${top}/etc/os-release'
    cp -a '${trees[0]}'/usr/bin/. '${top}/usr/bin/'`);
  return top;
}

async function tarTree(tree: string, tar: string): Promise<void> {
  await shell(`tar -C '${tree}' -cf '${tar}' --numeric-owner --sort=name --xattrs \\
    --transform='s,^\\./,,S' .`);
}

/** Each package set unpacked into a directory of its own. */
async function packageTrees(work: string): Promise<string[]> {
  const home = join(work, "trees");
  const trees = packageSets.map((_, index) => join(home, `set-${index}`));
  if (existsSync(join(home, "complete"))) return trees;
  process.stderr.write("[INFO] Downloading and unpacking Debian packages\n");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(join(home, "archives/partial"), { recursive: true });
  await writeFile(join(home, "status"), "");
  // With an empty status file apt takes nothing for installed: the sets come whole.
  const apt =
    `apt-get -o Dir::State::status='${home}/status' -o Dir::Cache::archives='${home}/archives' \\
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 --no-install-recommends -y`;
  await shell("apt-get update");
  const done = new Set<string>();
  for (const [index, tree] of trees.entries()) {
    const wanted = packageSets.slice(0, index + 1).join(" ");
    await shell(`${apt} --download-only install ${wanted}`);
    mkdirSync(tree);
    for (const name of readdirSync(join(home, "archives")).sort()) {
      if (!name.endsWith(".deb") || done.has(name)) continue;
      done.add(name);
      await shell(`dpkg-deb -x '${home}/archives/${name}' '${tree}'`);
    }
  }
  await writeFile(join(home, "complete"), "");
  return trees;
}

/** Compresses the layers and writes manifest and config as Docker does: enroot reads no other. */
async function writeLayout(home: string, level: number): Promise<void> {
  const layout = join(home, "layout");
  const compressed = join(home, "compressed");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  mkdirSync(compressed);
  const layers: object[] = [];
  const diffIds: string[] = [];
  for (const tar of listed(join(home, "tars"))) {
    const blob = join(compressed, `${tar.split("/").at(-1)}.gz`);
    await shell(`pigz -${level} -n -c '${tar}' > '${blob}'`);
    diffIds.push(`sha256:${await digestOfFile(tar)}`);
    const hex = await digestOfFile(blob);
    await link(blob, join(layout, "blobs/sha256", hex));
    layers.push({
      mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      digest: `sha256:${hex}`,
      size: statSync(blob).size,
    });
  }
  const config = await putJson(layout, "application/vnd.docker.container.image.v1+json", {
    architecture: hostArchitecture(),
    os: "linux",
    config: { Env: ["PATH=/usr/bin:/bin"], Cmd: ["/bin/bash"] },
    rootfs: { type: "layers", diff_ids: diffIds },
    // enroot asks for the manifest without Accept: the registry needs this for its oldest format.
    history: diffIds.map(() => ({ created_by: "scripts/bench" })),
  });
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = await putJson(layout, mediaType, {
    schemaVersion: 2,
    mediaType,
    config,
    layers,
  });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  await writeFile(
    join(layout, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

/** The tree that umoci makes of the layers, as one archive. */
async function flatten(home: string): Promise<void> {
  const oci = join(home, "oci");
  // umoci wants OCI media types.
  await shell(`skopeo --insecure-policy copy --quiet --format oci \\
    dir:'${await asDirectoryImage(home)}' 'oci:${oci}:latest'
    umoci unpack --image '${oci}:latest' '${home}/bundle'
    tar -C '${home}/bundle/rootfs' -cf '${home}/flat.part' --numeric-owner --sort=name \\
      --anchored --exclude='./dev/*' .
    mv '${home}/flat.part' '${home}/flat.tar'
    rm -rf '${home}/bundle' '${oci}' '${home}/dir'`);
}

/** The layout as skopeo's `dir:`, which takes Docker's media types. */
async function asDirectoryImage(home: string): Promise<string> {
  const directory = join(home, "dir");
  await shell(`mkdir '${directory}' && cp -l '${home}'/layout/blobs/sha256/* '${directory}/'
    printf 'Directory Transport Version: 1.1\\n' > '${directory}/version'`);
  const index = JSON.parse(await shell(`cat '${home}/layout/index.json'`));
  const manifest = index.manifests[0].digest.split(":")[1];
  await rename(join(directory, manifest), join(directory, "manifest.json"));
  return directory;
}

async function putJson(layout: string, mediaType: string, value: unknown): Promise<object> {
  const text = JSON.stringify(value);
  const hex = createHash("sha256").update(text).digest("hex");
  await writeFile(join(layout, "blobs/sha256", hex), text);
  return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
}

function listed(directory: string): string[] {
  return readdirSync(directory).sort().map((name) => join(directory, name));
}

async function shell(script: string): Promise<string> {
  const result = await runProgram("bash", ["-euo", "pipefail", "-c", script], {
    timeoutMs: 3_600_000,
  });
  return result.stdout;
}
