/** containers-storage for tests: skopeo fills it; its mounts are removed with it. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type Image, type ImageSpec, writeImage } from "./image_fixture.ts";
import { runProgram } from "./run_program.ts";
import { directory, file, link, symlink } from "./tar_fixture.ts";

export type Driver = "overlay" | "vfs";

/** Layers with all that a store has to keep: whiteouts, links, attributes, odd names. */
export const richImage: ImageSpec = {
  config: { Env: ["A=b"], Labels: { of: "a fixture" } },
  layers: [
    [
      directory("bin", { mtime: 1_000_000 }),
      file("bin/tool", "a tool".repeat(500), { mode: 0o4755, mtime: 2_000_000 }),
      link("bin/alias", "bin/tool", { mode: 0o4755, mtime: 2_000_000 }),
      file("bin/ping", "p", {
        mtime: 3_000_000,
        xattrs: {
          "security.capability": Buffer.from("0100000200200000000000000000000000000000", "hex"),
          "user.note": "kept",
        },
      }),
      symlink("bin/link", "tool", { mtime: 4_000_000 }),
      directory("etc", { mtime: 5_000_000 }),
      file("etc/old", "goes", { mtime: 6_000_000 }),
      file("etc/kept", "stays", { mtime: 6_000_000, uid: 1000, gid: 1000, mode: 0o600 }),
      directory("opaque", { mtime: 7_000_000 }),
      file("opaque/hidden", "goes", { mtime: 8_000_000 }),
      directory("gone", { mtime: 7_000_000 }),
      file("gone/below", "goes", { mtime: 8_000_000 }),
      file(Buffer.from("caf\xe9", "latin1"), "named in Latin-1", { mtime: 9_000_000 }),
      file("näme", "named in UTF-8", { mtime: 9_000_000 }),
      file(`long-${"x".repeat(120)}`, "a long name", { mtime: 9_000_000 }),
      file("empty", "", { mtime: 9_000_000 }),
      file("large", Buffer.alloc(3_000_001, "large "), { mtime: 9_000_000 }),
    ],
    {
      compression: "zstd",
      tar: [
        directory("etc", { mtime: 15_000_000 }),
        file("etc/.wh.old"),
        file("etc/new", "new", { mtime: 16_000_000 }),
        link("etc/second", "etc/new", { mtime: 16_000_000 }),
        directory("opaque", { mtime: 17_000_000, mode: 0o750 }),
        file("opaque/.wh..wh..opq"),
        file("opaque/shown", "shown", { mtime: 18_000_000 }),
        file(".wh.gone"),
      ],
    },
    [
      directory("bin", { mtime: 21_000_000 }),
      file("bin/tool", "another tool", { mode: 0o755, mtime: 22_000_000 }),
      directory("gone", { mtime: 23_000_000 }),
      file("gone/anew", "made anew", { mtime: 24_000_000 }),
      directory("secret", { mtime: 25_000_000, mode: 0o700, uid: 1000, gid: 1000 }),
      file("secret/key", "a key", { mtime: 26_000_000, mode: 0o400, uid: 1000, gid: 1000 }),
    ],
  ],
};

/** An image in an OCI layout, and storages with copies of it. */
export class StorageFixture {
  readonly directory: string;
  readonly image: Image;

  /** The fixture is removed after the file's tests. */
  constructor(spec: ImageSpec = richImage) {
    this.directory = mkdtempSync(join(tmpdir(), "denroot-storage-"));
    this.image = writeImage(join(this.directory, "layout"), spec);
    after(() => this.remove());
  }

  /** The original image's URI. */
  get layout(): string {
    return `oci:${this.image.directory}:${this.image.tag}`;
  }

  root(name: string): string {
    return join(this.directory, name);
  }

  /** Copies the image into the storage `name` with skopeo; gives what precedes an image's name. */
  async store(name: string, driver: Driver, image: string): Promise<string> {
    const place = `containers-storage:[${driver}@${this.root(name)}+${this.root("run")}]`;
    await runProgram("skopeo", ["copy", "--quiet", this.layout, `${place}${image}`]);
    return place;
  }

  /** Removes the recipes of tar streams; gives how many there were. */
  forgetRecipes(name: string): number {
    const files = readdirSync(this.root(name), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".tar-split.gz"));
    for (const path of files) rmSync(join(this.root(name), path));
    return files.length;
  }

  async remove(): Promise<void> {
    await unmountBelow(this.directory);
    if (existsSync(this.directory)) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The overlay driver bind-mounts its directory and leaves the mount. */
export async function unmountBelow(directory: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n")
    .map((line) => line.split(" ")[1]!).filter((path) => path?.startsWith(directory));
  for (const path of mounts.reverse()) await runProgram("umount", [path]);
}
