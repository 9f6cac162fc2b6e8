/** The parts of a reference, for each scheme. No code. */

import type { Digest } from "./image.ts";

/** `docker://…`, in canonical form. */
export interface DockerReference {
  readonly scheme: "docker";
  readonly user?: string | undefined;
  /** A host with an optional port. Docker Hub is always `registry-1.docker.io`. */
  readonly registry: string;
  /** Starts with `library/` for Docker Hub's official images. */
  readonly repository: string;
  /**
   * The repository as written, when no registry was given. The settings may name another registry
   * for it.
   */
  readonly shortName?: string | undefined;
  /** `latest` when neither a tag nor a digest was given; absent when only a digest was. */
  readonly tag?: string | undefined;
  /** When there is also a tag, the digest decides. */
  readonly digest?: Digest | undefined;
}

/** `oci:PATH[:TAG]`, `oci:PATH@DIGEST`, `oci:PATH:@INDEX`; `oci-archive:` has the same in a tar file. */
export interface OciReference {
  readonly scheme: "oci" | "oci-archive";
  readonly path: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
  /** The position in the layout's `index.json`, counted from 0. */
  readonly index?: number;
}

/** `docker-archive:PATH[:NAME[:TAG]]`, `docker-archive:PATH:@INDEX`. */
export interface DockerArchiveReference {
  readonly scheme: "docker-archive";
  readonly path: string;
  /** A name with its tag, as in the archive's `RepoTags`: `alpine:3`. */
  readonly image?: string;
  /** The position in the archive's `manifest.json`, counted from 0. */
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
  /** The engine's name for the image, with the tag or digest that was given; or `sha256:` and its ID. */
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
  /** An absolute path; `/ostree/repo` when none was given. */
  readonly repository: string;
}

/** A path without a scheme. The content at the path decides which transport reads it. */
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
