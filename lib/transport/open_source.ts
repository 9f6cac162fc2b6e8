/** A reference -> the source of its transport. */

import type { DockerReference, OciReference, Reference, Source } from "../types.ts";
import { openOciLayout } from "./oci_layout.ts";
import { openRegistry } from "./registry/registry_source.ts";
import type { SourceContext } from "./source_context.ts";

export type { SourceContext } from "./source_context.ts";

/** Opens the place that `reference` names; the caller disposes of the source. */
export function openSource(reference: Reference, context: SourceContext): Promise<Source> {
  switch (reference.scheme) {
    case "docker":
      return OPENERS.docker(reference, context);
    case "oci":
      return OPENERS.oci(reference, context);
  }
}

/** All the transports there are. */
const OPENERS: {
  readonly docker: (reference: DockerReference, context: SourceContext) => Promise<Source>;
  readonly oci: (reference: OciReference, context: SourceContext) => Promise<Source>;
} = {
  docker: openRegistry,
  oci: openOciLayout,
};
