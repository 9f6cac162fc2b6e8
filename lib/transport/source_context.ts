/** What every transport gets from its caller. */

import type { Settings } from "../config/settings.ts";
import type { Platform } from "../types/image.ts";
import type { OnProgress } from "../types/progress.ts";
import type { BlobStore } from "../types/source.ts";
import type { RegistryConnections } from "./registry/connections.ts";

/** What somebody said about one registry, beside the settings. */
export interface RegistryAccess {
  /** The only file that credentials are read from; its format is that of podman and docker. */
  readonly authFile?: string | undefined;
  /** The password of the user that the reference names. */
  readonly password?: string | undefined;
  /** As for an `insecure` registry of `registries.conf`: any certificate will do, or plain HTTP. */
  readonly acceptsAnyCertificate?: boolean | undefined;
}

export interface SourceContext {
  readonly settings: Settings;
  /** Takes the blobs from a transport that can only be read as one stream. */
  readonly blobs: BlobStore;
  /** The platform that an engine is asked for, when it has an image for several. */
  readonly platform: Platform;
  readonly access?: RegistryAccess;
  /** Whether a registry is asked itself, and none of its mirrors: what it has is in question. */
  readonly withoutMirrors?: boolean;
  /** Shared by all registries that are opened with this context; each has its own without them. */
  readonly connections?: RegistryConnections;
  readonly onProgress?: OnProgress;
  readonly signal: AbortSignal;
}
