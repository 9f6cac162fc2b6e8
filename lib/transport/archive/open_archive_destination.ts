/** Opens archives that take images: `oci-archive:PATH[:TAG]`, `docker-archive:PATH[:NAME]`. */

import { DenrootError, throwIfAborted } from "../../errors.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { DockerArchiveReference, OciReference } from "../../types/reference.ts";
import type { ImageDestination } from "../../types/source.ts";
import type { DestinationContext } from "../destination_context.ts";
import { ArchiveDestination, ArchiveInProgress } from "../layout/archive_destination.ts";
import { SavedList } from "./saved_list.ts";
import { openTarOutput } from "./tar_output.ts";

type Context = Pick<DestinationContext, "replace" | "signal">;

/**
 * Begins a layout in a tar file, or down a pipe such as `/dev/stdout`. Throws code `reference` for a
 * reference that cannot name a new image, `exists` for a file that is there, `file` for one that
 * cannot be written.
 */
export async function openOciArchiveDestination(
  reference: OciReference,
  { replace, signal }: Context,
): Promise<ImageDestination> {
  throwIfAborted(signal);
  const { scheme, path, tag, digest, index } = reference;
  if (digest !== undefined || index !== undefined) throw noName(scheme, path);
  const output = await openTarOutput(path, { replace });
  const uriOf = (tag: string | undefined) =>
    formatReference({ scheme, path, ...(tag !== undefined && { tag }) });
  return new ArchiveDestination(
    tag,
    new ArchiveInProgress({ output, shown: quotePath(path), uriOf }),
  );
}

/** Begins an archive for `docker load`. Throws what {@link openOciArchiveDestination} throws. */
export async function openDockerArchiveDestination(
  reference: DockerArchiveReference,
  { replace, signal }: Context,
): Promise<ImageDestination> {
  throwIfAborted(signal);
  const { scheme, path, image, index } = reference;
  if (index !== undefined) throw noName(scheme, path);
  const output = await openTarOutput(path, { replace });
  const uriOf = (image: string | undefined) =>
    formatReference({ scheme, path, ...(image !== undefined && { image }) });
  const options = { output, shown: quotePath(path), uriOf, takesOnlyImages: true };
  return new ArchiveDestination(
    image,
    new ArchiveInProgress({ ...options, savedImages: new SavedList() }),
  );
}

function noName(scheme: string, path: string): DenrootError {
  return new DenrootError("reference", "A new image has no position or digest in the archive yet", {
    hint: `Name it: ${scheme}:${path}:NAME`,
  });
}
