/** What may be written for the destination of a sync. */

import { DenrootError } from "../../errors.ts";
import { DOCKER_HUB_HOST } from "../../reference/docker_hub.ts";
import { parseReference } from "../../reference/parse_reference.ts";
import { parseRegistryName } from "../../reference/registry_name.ts";
import { quotePath } from "../../text/quote_text.ts";

export interface RegistryTarget {
  readonly type: "registry";
  readonly registry: string;
  readonly user?: string | undefined;
  /** Stands before the repositories of all images; may be empty. */
  readonly prefix: string;
  /** Whether the images' own registries become a part of their names. */
  readonly scoped: boolean;
}

export type SyncTarget = RegistryTarget | {
  readonly type: "layout" | "archive";
  readonly path: string;
};

/** Throws code `reference`, and `unsupported` for a place that holds one image only. */
export function parseTarget(text: string, scoped: boolean): SyncTarget {
  const alone = parseRegistryName(text);
  if (alone !== undefined) return { type: "registry", ...alone, prefix: "", scoped };
  const reference = parseReference(text.startsWith("docker:") ? text.replace(/\/$/, "") : text);
  switch (reference.scheme) {
    case "docker": {
      const { registry, repository, user, digest } = reference;
      const afterHost = text.slice(text.search(/[^:/][#/]/) + 1);
      if (digest !== undefined || afterHost.includes(":")) throw oneImage(text);
      // A prefix is no name of an official image.
      const isOfficial = registry === DOCKER_HUB_HOST && !text.includes("library/");
      const prefix = isOfficial ? repository.replace(/^library\//, "") : repository;
      return { type: "registry", registry, ...(user && { user }), prefix, scoped };
    }
    case "oci":
    case "oci-archive": {
      const { scheme, path, tag, digest, index } = reference;
      if (tag !== undefined || digest !== undefined || index !== undefined) throw oneImage(text);
      return { type: scheme === "oci" ? "layout" : "archive", path };
    }
  }
  throw new DenrootError("unsupported", `${quotePath(text)} cannot hold the images of a list`, {
    hint: "Name a registry, docker://REGISTRY/PREFIX; a layout, oci:PATH; or oci-archive:FILE",
  });
}

function oneImage(text: string): DenrootError {
  return new DenrootError("reference", `${quotePath(text)} names one image, and a list has many`, {
    hint: "Leave out the tag: each image keeps its own",
  });
}
