/** Opens the source of a reference with its transport. */

import type { ReferenceOf, Scheme } from "../reference/scheme_rules.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageSource } from "../types/source.ts";
import type { SourceContext } from "./source_context.ts";

type Opener<S extends Scheme> = (
  reference: ReferenceOf<S>,
  context: SourceContext,
) => Promise<ImageSource>;

/** All transports. Each one is loaded only when it is used. */
export const OPENERS: { readonly [S in Scheme]: () => Promise<Opener<S>> } = {
  docker: async () => (await import("./registry/source.ts")).openRegistry,
  oci: async () => (await import("./layout/oci_layout.ts")).openOciLayout,
  "oci-archive": async () => (await import("./layout/oci_archive.ts")).openOciArchive,
  "docker-archive": async () => (await import("./archive/source.ts")).openDockerArchive,
  dir: async () => (await import("./directory/source.ts")).openDirectory,
  path: async () => (await import("./path/source.ts")).openPath,
  dockerd: async () => (await import("./engine/docker_daemon.ts")).openDockerDaemon,
  "docker-daemon": async () => (await import("./engine/docker_daemon.ts")).openDockerDaemon,
  podman: async () => (await import("./engine/podman.ts")).openPodman,
  "containers-storage": async () => (await import("./storage/source.ts")).openContainersStorage,
  ostree: async () => (await import("./ostree/source.ts")).openOstree,
};

/** Opens the place that `reference` names. The caller disposes of the source. */
export async function openSource(
  reference: Reference,
  context: SourceContext,
): Promise<ImageSource> {
  const open = await OPENERS[reference.scheme]() as Opener<Scheme>;
  return open(reference, context);
}
