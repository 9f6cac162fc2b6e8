/** A Docker daemon for one test file: its exports show what Docker would run. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Image } from "./image_fixture.ts";
import { findProgram, runProgram, startProgram, stopProgram, waitUntil } from "./run_program.ts";
import { listDirectory, type Tree } from "./tree_listing.ts";

export interface DockerDaemon {
  readonly socket: string;
  /** Gives the daemon the image, under that name. */
  load(image: Image, name: string): Promise<void>;
  /** The tree that `docker export` gives for a container of the image. */
  exportedTree(image: Image): Promise<Tree>;
  stop(): Promise<void>;
}

/** Paths that `docker create` puts into every container, whatever the image holds. */
export const dockersOwnPaths = [
  ".dockerenv",
  "dev",
  "proc",
  "sys",
  "etc/hostname",
  "etc/hosts",
  "etc/mtab",
  "etc/resolv.conf",
];

/** Starts a daemon with its own socket and storage; needs root. `args` are further options. */
export async function startDockerDaemon(args: readonly string[] = []): Promise<DockerDaemon> {
  const home = mkdtempSync(join(tmpdir(), "denroot-docker-"));
  const socket = join(home, "docker.sock");
  const daemon = startProgram(findProgram("dockerd") ?? "dockerd", [
    `--data-root=${join(home, "data")}`,
    `--exec-root=${join(home, "exec")}`,
    `--pidfile=${join(home, "docker.pid")}`,
    `--host=unix://${socket}`,
    "--storage-driver=vfs",
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--log-level=error",
    ...args,
  ], { timeoutMs: 3_600_000 });
  let ended = false;
  daemon.done.then(() => ended = true, () => ended = true);
  const docker = (...args: string[]) => runProgram("docker", ["-H", `unix://${socket}`, ...args]);
  await waitUntil("dockerd answers", async () => {
    if (ended) throw new Error(`dockerd ended: ${daemon.stderr().slice(-2000)}`);
    return await docker("version").then(() => true, () => false);
  }, 60_000);
  let count = 0;

  async function load(image: Image, name: string): Promise<void> {
    const archive = join(home, "image.tar");
    try {
      await runProgram("skopeo", [
        "--insecure-policy",
        "copy",
        `oci:${image.directory}:${image.tag}`,
        `docker-archive:${archive}:${name}`,
      ]);
      await docker("load", "--input", archive);
    } finally {
      rmSync(archive, { force: true });
    }
  }

  async function exportedTree(image: Image): Promise<Tree> {
    const name = `denroot-test:${++count}`;
    const work = join(home, `work-${count}`);
    mkdirSync(work);
    try {
      await load(image, name);
      const container = (await docker("create", name, "/none")).stdout.trim();
      await docker("export", "--output", join(work, "export.tar"), container);
      await docker("rm", container);
      await docker("rmi", name);
      const root = join(work, "root");
      mkdirSync(root);
      await runProgram("tar", [
        "-C",
        root,
        "-xpf",
        join(work, "export.tar"),
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
      ]);
      return await listDirectory(root);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  async function stop(): Promise<void> {
    await stopProgram(daemon, 20_000);
    rmSync(home, { recursive: true, force: true });
  }
  return { socket, load, exportedTree, stop };
}
