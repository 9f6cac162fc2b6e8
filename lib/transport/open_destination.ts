/** Opens the destination of a reference with its transport. */

import { DenrootError } from "../errors.ts";
import { plainText, quotePath } from "../text/quote_text.ts";
import type { ReferenceOf, Scheme } from "../reference/scheme_rules.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageDestination } from "../types/source.ts";
import type { DestinationContext } from "./destination_context.ts";

type Opener<S extends Scheme> = (
  reference: ReferenceOf<S>,
  context: DestinationContext,
) => Promise<ImageDestination>;

/** The transports that take images. Each one is loaded only when it is used. */
const OPENERS: { readonly [S in Scheme]?: () => Promise<Opener<S>> } = {
  docker: async () => (await import("./registry/write/destination.ts")).openRegistryDestination,
  oci: async () => (await import("./layout/destination.ts")).openLayoutDestination,
  "oci-archive": async () =>
    (await import("./archive/open_archive_destination.ts")).openOciArchiveDestination,
  "docker-archive": async () =>
    (await import("./archive/open_archive_destination.ts")).openDockerArchiveDestination,
  dir: async () => (await import("./directory/destination.ts")).openDirectoryDestination,
  dockerd: async () => (await import("./engine/load_destination.ts")).openDaemonDestination,
  "docker-daemon": async () => (await import("./engine/load_destination.ts")).openDaemonDestination,
  podman: async () => (await import("./engine/load_destination.ts")).openPodmanDestination,
  "containers-storage": async () =>
    (await import("./engine/load_destination.ts")).openStorageDestination,
};

/**
 * Opens the place that `reference` names, to write an image there. The caller disposes of the
 * destination. Throws what {@link requireDestination} throws, and what the place does.
 */
export async function openDestination(
  reference: Reference,
  context: DestinationContext,
): Promise<ImageDestination> {
  requireDestination(reference);
  const open = await OPENERS[reference.scheme]!() as Opener<Scheme>;
  return await open(reference, context);
}

/** Throws code `reference` for a path alone, `unsupported` where denroot writes no images. */
export function requireDestination(reference: Reference): void {
  if (reference.scheme === "path") throw noTransport(reference.path);
  if (OPENERS[reference.scheme] === undefined) throw notWritten();
}

function notWritten(): DenrootError {
  return new DenrootError(
    "unsupported",
    "denroot writes no images to ostree: containers/image has given the format up, and no current " +
      "tool reads it",
    { hint: "Copy to oci:PATH, dir:PATH or a registry" },
  );
}

/** Content tells what a path is to be read as, but nothing tells as what it is to be written. */
function noTransport(path: string): DenrootError {
  const shown = plainText(path, 200);
  const isArchive = /\.(tar|tgz)(\.\w+)?$/.test(path);
  const files = isArchive ? ["oci-archive", "docker-archive"] : ["oci", "dir"];
  const candidates = [
    ...files.map((scheme) => `${scheme}:${shown}`),
    ...(/^\w[\w.-]*(:\d+)?\//.test(path) && !isArchive ? [`docker://${shown}`] : []),
  ];
  return new DenrootError(
    "reference",
    `The destination ${quotePath(path)} does not say what to write`,
    {
      hint: `Write one of ${candidates.join(", ")}`,
    },
  );
}
