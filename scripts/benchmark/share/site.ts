/** A site for the benchmark: registries on loopback, a shared directory, and programs for all nodes. */

import { randomBytes } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeImage } from "../../../test/helpers/image_fixture.ts";
import { findProgram } from "../../../test/helpers/run_program.ts";
import { type Registry, startRegistry } from "../../../test/helpers/registry_server.ts";
import { file } from "../../../test/helpers/tar_fixture.ts";

const project = fileURLToPath(new URL("../../..", import.meta.url));

export interface Site {
  readonly work: string;
  readonly share: string;
  readonly registry: Registry;
  /** It takes the user `someone` with the password `secret`. */
  readonly guarded: Registry;
  readonly denroot: string;
  /** A mksquashfs that adds a byte to the file `packings` each time it packs. */
  readonly mksquashfs: string;
  readonly packings: string;
  stop(): Promise<void>;
}

export async function startSite(work: string, imageMb: number): Promise<Site> {
  const registry = await startRegistry();
  // Each token is good for a second: some expire before the image is there.
  const guarded = await startRegistry({
    auth: "token",
    user: "someone",
    password: "secret",
    tokenLifetimeSeconds: 1,
  });
  const layers = [0.5, 0.3, 0.2].map((part, index) => ({
    compression: "none" as const,
    tar: [file(`layer${index}`, randomBytes(imageMb * 1e6 * part))],
  }));
  const image = writeImage(join(work, "layout"), { layers, tag: "latest" });
  for (const each of [registry, guarded]) each.add(image, "app");
  return {
    work,
    share: join(work, "share"),
    registry,
    guarded,
    ...programs(work),
    async stop() {
      await registry.stop();
      await guarded.stop();
    },
  };
}

/** Copies, where all users can reach them. */
function programs(work: string): Pick<Site, "denroot" | "mksquashfs" | "packings"> {
  const denroot = join(work, "denroot");
  copyFileSync(join(project, "dist/denroot"), denroot);
  const own = join(project, "build/squashfs", process.arch, "mksquashfs");
  const packer = join(work, "packer");
  copyFileSync(existsSync(own) ? own : findProgram("mksquashfs")!, packer);
  const mksquashfs = join(work, "mksquashfs");
  const packings = join(work, "packings");
  const note = `[ "$1" = -version ] || echo >> '${packings}'`;
  writeFileSync(mksquashfs, `#!/bin/sh\n${note}\nexec '${packer}' "$@"\n`);
  for (const program of [packer, mksquashfs, denroot]) chmodSync(program, 0o755);
  return { denroot, mksquashfs, packings };
}

/** The file of packings, empty, and an empty share. */
export function clear(site: Site, keepShare: boolean): void {
  if (!keepShare) rmSync(site.share, { recursive: true, force: true });
  writeFileSync(site.packings, "");
  chmodSync(site.packings, 0o666);
}
