/** Lists the repositories of a registry. */

import { DenrootError } from "../errors.ts";
import { parseRegistryName } from "../reference/registry_name.ts";
import { quotePath } from "../text/quote_text.ts";
import { readCatalog } from "../transport/registry/catalog.ts";
import { imageContext, type ImageOptions } from "./image_options.ts";

export interface RepositoryList {
  /** A host with an optional port. */
  readonly registry: string;
  /** Without repetitions, in the order of the registry. It may leave out some. */
  readonly repositories: readonly string[];
}

/** Whether `uri` names a registry alone, so that {@link listRepositories} takes it. */
export function namesRegistry(uri: string): boolean {
  return parseRegistryName(uri) !== undefined;
}

/**
 * Lists what the registry shows to this user. `uri` is `docker://[USER@]REGISTRY[:PORT]`; a `/` may
 * follow. Throws code `reference` for any other URI, `unsupported` when the registry has no such
 * list, `credentials` when it does not show it.
 */
export async function listRepositories(
  uri: string,
  options: Omit<ImageOptions, "architecture"> = {},
): Promise<RepositoryList> {
  const name = parseRegistryName(uri);
  if (name === undefined) {
    throw new DenrootError("reference", `${quotePath(uri)} does not name a registry alone`, {
      hint: "Write docker://REGISTRY or docker://REGISTRY:PORT",
    });
  }
  const repositories = await readCatalog(name, await imageContext(options));
  return { registry: name.registry, repositories };
}
