/** What a reference of each scheme says. No code. */

import type { Digest } from "./image.ts";

/** `docker://…`, in canonical form. */
export interface DockerReference {
  readonly scheme: "docker";
  readonly user?: string;
  /** Host with an optional port; Docker Hub's aliases have become `registry-1.docker.io`. */
  readonly registry: string;
  /** With `library/` on Docker Hub. */
  readonly repository: string;
  /** The repository as written, when no registry was: it may be another one's by the settings. */
  readonly shortName?: string;
  /** Set unless a digest alone was given; `latest` when neither was. */
  readonly tag?: string;
  /** Wins over the tag. */
  readonly digest?: Digest;
}

/** `oci:PATH[:TAG]`, `oci:PATH@DIGEST`, `oci:PATH:@INDEX`; `oci-archive:` has the same in a tar file. */
export interface OciReference {
  readonly scheme: "oci" | "oci-archive";
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** Place in the layout's `index.json`, from 0. */
  readonly index?: number;
}

/** `docker-archive:PATH[:NAME[:TAG]]`, `docker-archive:PATH:@INDEX`. */
export interface DockerArchiveReference {
  readonly scheme: "docker-archive";
  readonly path: string;
  /** As in the archive's `RepoTags`, with its tag: `alpine:3`. */
  readonly image?: string;
  /** Place in the archive's `manifest.json`, from 0. */
  readonly index?: number;
}

/** `dir:PATH`. */
export interface DirectoryReference {
  readonly scheme: "dir";
  readonly path: string;
}

/** `dockerd://IMAGE`, `docker-daemon:IMAGE`, `docker-daemon:sha256:ID`, `podman://IMAGE`. */
export interface EngineReference {
  readonly scheme: "dockerd" | "docker-daemon" | "podman";
  /** As the engine names it, with what was given of a tag or digest; or `sha256:` and its ID. */
  readonly image: string;
}

/** `containers-storage:[[DRIVER@]ROOT[+RUN-ROOT][:OPTIONS]]IMAGE`. */
export interface StorageReference {
  readonly scheme: "containers-storage";
  readonly driver?: string;
  readonly root?: string;
  readonly runRoot?: string;
  readonly options: readonly string[];
  /** `NAME[:TAG][@DIGEST]`, or `@ID`. */
  readonly image: string;
}

/** `ostree:NAME[:TAG][@/REPOSITORY]`. */
export interface OstreeReference {
  readonly scheme: "ostree";
  readonly image: string;
  /** Absolute; `/ostree/repo` when none was given. */
  readonly repository: string;
}

/** A path alone: what lies there decides what it is. */
export interface PathReference {
  readonly scheme: "path";
  readonly path: string;
}

export type Reference =
  | DockerReference
  | OciReference
  | DockerArchiveReference
  | DirectoryReference
  | EngineReference
  | StorageReference
  | OstreeReference
  | PathReference;
