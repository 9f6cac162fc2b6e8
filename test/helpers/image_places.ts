/** Every kind of place that denroot reads, filled by the programs that write such places. */

import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { DockerDaemon } from "./docker_daemon.ts";
import { type Image, writeIndex } from "./image_fixture.ts";
import { commitImage, ostree } from "./ostree_repository.ts";
import type { PodmanUser } from "./podman_user.ts";
import type { Registry } from "./registry_server.ts";
import { runProgram } from "./run_program.ts";
import type { Driver, StorageFixture } from "./storage_fixture.ts";

/** A place for an image, and its canonical URI there. */
export interface Place {
  /** The URI with `fill` in a part that may have any length. */
  readonly uri: (fill: string) => string;
  /** Brings the image to the place that the URI names. */
  readonly bring: (image: StorageFixture, uri: string) => Promise<unknown>;
  /** Each layer is unpacked alone there, and cannot link to files of lower layers. */
  readonly layersApart?: boolean;
  /** The user types the path alone. */
  readonly byPath?: boolean;
  /** Environment variables that the place needs beside the URI. */
  readonly env?: () => Readonly<Record<string, string>>;
}

/** Servers that run before images are brought. */
interface Servers {
  readonly registry: () => Registry;
  readonly docker: () => DockerDaemon;
  readonly podman: () => PodmanUser;
}

/** Places by their names; files and directories below `home`. */
export function imagePlaces(home: string, servers: Servers): Readonly<Record<string, Place>> {
  let count = 0;
  const at = (scheme: string, version: string, bring: Bring): Place => {
    const directory = join(home, String(++count));
    mkdirSync(directory);
    return {
      uri: (fill) => `${scheme}:${directory}/${fill}${version}`,
      bring: (image, uri) => bring(image, uri),
    };
  };
  const byPath = (place: Place): Place => ({ ...place, byPath: true });
  const docker = async (image: Image, path: string) => {
    await servers.docker().load(image, "n/saved:v1");
    const host = ["-H", `unix://${servers.docker().socket}`];
    await runProgram("docker", [...host, "save", "--output", path, "n/saved:v1"]);
  };
  const podman = (format: string): Bring => async ({ image }, uri) => {
    await servers.podman().load(image, "localhost/n/saved:v1");
    const args = ["save", "--quiet", `--format=${format}`, "--output", pathOf(uri)];
    await servers.podman().run("podman", [...args, "localhost/n/saved:v1"]);
  };
  const inDocker = (uri: Place["uri"]): Place => ({
    uri,
    bring: ({ image }, uri) => servers.docker().load(image, uri.replace(/^[a-z-]+:(\/\/)?/, "")),
    env: () => ({ DOCKER_HOST: `unix://${servers.docker().socket}` }),
  });
  return {
    "a registry": {
      uri: (fill) => `docker://${servers.registry().host}#team/${fill}:v1`,
      // deno-lint-ignore require-await -- what it throws is to be a rejection
      async bring({ image }, uri) {
        servers.registry().add(image, uri.slice(uri.indexOf("#") + 1, -":v1".length), "v1");
      },
    },
    "oci": at("oci", ":v1", copy),
    "oci by its place in the list": at("oci", ":@0", copy),
    "oci with an index inside an index": at("oci", ":v1", copyNested),
    "oci of buildah": at("oci", ":v1", pushWithBuildah),
    "oci changed by umoci": at("oci", ":v1", changeWithUmoci),
    "oci by its path": byPath(at("oci", "", copy)),
    "oci-archive": at("oci-archive", ":v1", copy),
    "oci-archive of podman save": at("oci-archive", "", podman("oci-archive")),
    "oci-archive, gzip": at("oci-archive", ":v1", copyThrough("gzip", ".gz")),
    "oci-archive, zstd": at("oci-archive", ":v1", copyThrough("zstd", ".zst")),
    "oci-archive by its path": byPath(at("oci-archive", "", copy)),
    "docker-archive": at("docker-archive", ":example.org/n/app:v1", copy),
    "docker-archive of docker save": at(
      "docker-archive",
      "",
      ({ image }, uri) => docker(image, pathOf(uri)),
    ),
    "docker-archive of podman save": at("docker-archive", "", podman("docker-archive")),
    "docker-archive, gzip": at("docker-archive", "", copyThrough("gzip", ".gz")),
    "docker-archive by its path": byPath(at("docker-archive", "", copy)),
    "dir": at("dir", "", copy),
    "dir by its path": byPath(at("dir", "", copy)),
    "dockerd": inDocker((fill) => `dockerd://n/${fill}:v1`),
    "docker-daemon": inDocker((fill) => `docker-daemon:n/${fill}:v1`),
    "podman": {
      uri: (fill) => `podman://localhost/n/${fill}:v1`,
      bring: ({ image }, uri) => servers.podman().load(image, uri.slice("podman://".length)),
      env: () => servers.podman().environment,
    },
    "containers-storage, overlay": {
      ...inStorage(join(home, "overlay"), "overlay"),
      layersApart: true,
    },
    "containers-storage, vfs": inStorage(join(home, "vfs"), "vfs"),
    "ostree": {
      layersApart: true,
      uri: (fill) => `ostree:rich:1@${home}/${fill}`,
      async bring(image, uri) {
        const repository = uri.slice(uri.indexOf("@") + 1);
        await ostree(repository, "init", "--mode=archive");
        await commitImage(image, repository, "rich_3A1");
      },
    },
  };
}

/** The file or directory that a URI of a scheme with a path names. */
export function pathOf(uri: string): string {
  return /^[a-z-]+:([^:@]*)/.exec(uri)![1]!;
}

type Bring = (image: StorageFixture, uri: string) => Promise<unknown>;

async function copy({ layout }: StorageFixture, uri: string): Promise<void> {
  await skopeo(layout, uri.replace(/:@0$/, ""));
}

function copyThrough(program: string, extension: string): Bring {
  return async (image, uri) => {
    await copy(image, uri);
    const path = pathOf(uri);
    await runProgram(program, ["-q", path]);
    renameSync(`${path}${extension}`, path);
  };
}

async function copyNested({ layout, image }: StorageFixture, uri: string): Promise<void> {
  const path = pathOf(uri);
  await skopeo(layout, `oci:${path}:inside`);
  const { manifest, platform } = image;
  const inner = writeIndex(path, [{ blob: manifest, platform }], { listed: false });
  writeIndex(path, [{ blob: inner }], { tag: "v1" });
}

/** buildah compresses the layers again. */
async function pushWithBuildah({ layout }: StorageFixture, uri: string): Promise<void> {
  const home = join(pathOf(uri), "../buildah");
  await skopeo(layout, `containers-storage:[vfs@${home}+${home}.run]localhost/n/app:v1`);
  const places = ["--storage-driver=vfs", `--root=${home}`, `--runroot=${home}.run`];
  await runProgram("buildah", [...places, "push", "--quiet", "localhost/n/app:v1", uri]);
}

async function changeWithUmoci({ layout }: StorageFixture, uri: string): Promise<void> {
  const path = pathOf(uri);
  await skopeo(layout, `oci:${path}:before`);
  await runProgram("umoci", [
    "config",
    ...[`--image=${path}:before`, "--tag=v1", "--author=somebody"],
  ]);
}

function inStorage(root: string, driver: Driver): Place {
  const place = `containers-storage:[${driver}@${root}+${root}.run]`;
  return {
    uri: (fill) => `${place}localhost/n/${fill}:v1`,
    bring: ({ layout }, uri) => skopeo(layout, uri),
  };
}

async function skopeo(from: string, to: string): Promise<void> {
  await runProgram("skopeo", ["--insecure-policy", "copy", "--quiet", from, to]);
}
