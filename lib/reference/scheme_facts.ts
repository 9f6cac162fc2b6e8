/** What people read about each scheme. This is plain data, so that help loads nothing else for it. */

/** A way to write a URI, with placeholders in capitals, and what it names. */
interface UriForm {
  readonly form: string;
  readonly meaning: string;
}

export interface SchemeFacts extends UriForm {
  /** The start of every URI of the scheme; empty for a path alone. */
  readonly prefix: string;
  /** A second way to write the same. */
  readonly otherForm?: UriForm;
  readonly example: string;
  /** Whether the path of a file or directory follows the prefix. */
  readonly hasPath?: true;
  /** How to name a whole repository, where an image has tags beside it that can be listed. */
  readonly repository?: UriForm;
}

/** All schemes, in the order in which help and docs show them. */
export const SCHEME_FACTS = {
  docker: {
    prefix: "docker://",
    form: "docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]",
    meaning: "an image in a registry",
    otherForm: {
      form: "docker://[USER@]REGISTRY/IMAGE[:TAG][@DIGEST]",
      meaning: "the same, as Docker writes it",
    },
    example: "docker://nvcr.io#nvidia/pytorch:25.06-py3",
    repository: {
      form: "docker://[USER@][REGISTRY#]IMAGE",
      meaning: "a repository in a registry",
    },
  },
  oci: {
    prefix: "oci:",
    form: "oci:PATH[:TAG|@DIGEST|:@INDEX]",
    meaning: "an OCI layout directory",
    example: "oci:images/pytorch:25.06",
    hasPath: true,
    repository: { form: "oci:PATH", meaning: "an OCI layout directory" },
  },
  "oci-archive": {
    prefix: "oci-archive:",
    form: "oci-archive:PATH[:TAG|@DIGEST|:@INDEX]",
    meaning: "an OCI layout in a tar file",
    example: "oci-archive:pytorch.tar:25.06",
    hasPath: true,
    repository: { form: "oci-archive:PATH", meaning: "an OCI layout in a tar file" },
  },
  "docker-archive": {
    prefix: "docker-archive:",
    form: "docker-archive:PATH[:IMAGE|:@INDEX]",
    meaning: "from docker or podman save",
    example: "docker-archive:all.tar:nvidia/cuda:12",
    hasPath: true,
    repository: { form: "docker-archive:PATH", meaning: "a tar file from docker or podman save" },
  },
  dir: {
    prefix: "dir:",
    form: "dir:PATH",
    meaning: "a directory from skopeo copy",
    example: "dir:images/alpine",
    hasPath: true,
  },
  dockerd: {
    prefix: "dockerd://",
    form: "dockerd://IMAGE",
    meaning: "an image of the Docker daemon",
    example: "dockerd://nvidia/cuda:12",
  },
  "docker-daemon": {
    prefix: "docker-daemon:",
    form: "docker-daemon:IMAGE|sha256:ID",
    meaning: "an image of the Docker daemon",
    example: "docker-daemon:nvidia/cuda:12",
  },
  podman: {
    prefix: "podman://",
    form: "podman://IMAGE",
    meaning: "an image of podman",
    example: "podman://localhost/app:1.0",
  },
  "containers-storage": {
    prefix: "containers-storage:",
    form: "containers-storage:[[DRIVER@]ROOT]IMAGE",
    meaning: "an image in podman's files",
    example: "containers-storage:localhost/app:1.0",
  },
  ostree: {
    prefix: "ostree:",
    form: "ostree:IMAGE[:TAG][@/REPOSITORY]",
    meaning: "an image in ostree",
    example: "ostree:app:1.0@/srv/images",
  },
  path: {
    prefix: "",
    form: "PATH",
    meaning: "an archive or a directory",
    example: "./pytorch.tar.zst",
    hasPath: true,
    repository: { form: "PATH", meaning: "a layout or an archive" },
  },
} as const satisfies Readonly<Record<string, SchemeFacts>>;

/** The facts of {@link SCHEME_FACTS} as a list. */
export const ALL_SCHEME_FACTS: readonly SchemeFacts[] = Object.values(SCHEME_FACTS);

/** What may be written for the destination of a copy, and what it means. */
export const COPY_PLACES: ReadonlyArray<readonly [form: string, meaning: string]> = [
  ["docker://REGISTRY/IMAGE[:TAG|@DIGEST]", "a repository in a registry"],
  ["oci:PATH[:TAG]", "an OCI layout directory; other images in it stay"],
  ["oci-archive:PATH[:TAG]", "a new tar file with an OCI layout; /dev/stdout is a pipe"],
  ["docker-archive:PATH[:IMAGE]", "a new tar file for docker load, one platform"],
  ["dir:PATH", "a new directory as skopeo writes it"],
  ["docker-daemon:IMAGE", "the Docker daemon, one platform"],
  ["containers-storage:IMAGE", "podman's storage, through podman load, one platform"],
];
