/** What the registry's tests share: settings, small images, sources with short waits. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Settings } from "../../../lib/config/settings.ts";
import { DenrootError, type ErrorCode } from "../../../lib/errors.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { DEFAULT_LIMITS, type RegistryLimits } from "../../../lib/transport/registry/limits.ts";
import { openRegistry, type RegistrySource } from "../../../lib/transport/registry/source.ts";
import type { ByteRange, Descriptor } from "../../../lib/types/image.ts";
import type { DockerReference } from "../../../lib/types/reference.ts";
import type { BlobStore } from "../../../lib/types/source.ts";

export const AMD64 = { os: "linux", architecture: "amd64" };
export const NEVER = new AbortController().signal;

export const MANIFEST_REQUEST = "GET /v2/team/app/manifests/latest";

export function makeSettings(changes: Partial<Settings> = {}): Settings {
  return {
    configPath: "/nonexistent",
    cachePath: "/nonexistent",
    dataPath: "/nonexistent",
    runtimePath: "/nonexistent",
    tempPath: "/nonexistent",
    sysconfPath: "/nonexistent",
    squashOptions: "",
    maxProcessors: 1,
    maxConnections: 4,
    connectTimeoutMs: 5000,
    transferTimeoutMs: 0,
    transferRetries: 2,
    allowHttp: true,
    forceOverride: false,
    shortNames: false,
    shareLeaseMs: 60_000,
    shareLongestJobMs: 604_800_000,
    loginShell: true,
    rootfsWritable: false,
    remapRoot: false,
    unsharePid: false,
    unshareNet: false,
    unshareIpc: false,
    unshareUts: false,
    allowSuperuser: false,
    mountHome: false,
    restrictDev: false,
    imageMounts: "own",
    lockTimeoutMs: 30_000,
    maxImageBytes: 1e12,
    maxAheadBytes: 1e7,
    tls: {},
    proxy: { no: "" },
    environment: { HOME: "/nonexistent", PATH: "/usr/bin:/bin" },
    entries: [],
    ...changes,
  };
}

export const QUICK_LIMITS: RegistryLimits = {
  ...DEFAULT_LIMITS,
  backOffMs: 2,
  backOffMaxMs: 10,
  retryAfterMaxMs: 20,
};

/** For tests that must not need a store. */
export const NO_BLOBS: BlobStore = {
  find: () => undefined,
  spool: () => assert.fail("Nothing is to be stored"),
};

export interface OpenOptions {
  readonly settings?: Partial<Settings>;
  readonly limits?: Partial<RegistryLimits>;
  readonly reference?: Partial<DockerReference>;
  /** Collects the log. */
  readonly log?: string[];
}

export function open(host: string, options: OpenOptions = {}): Promise<RegistrySource> {
  const reference: DockerReference = {
    scheme: "docker",
    registry: host,
    repository: "team/app",
    tag: "latest",
    ...options.reference,
  };
  return openRegistry(reference, {
    settings: makeSettings(options.settings),
    blobs: NO_BLOBS,
    platform: AMD64,
    signal: NEVER,
    onProgress: (event) => {
      if (event.type === "log") options.log?.push(`${event.level}: ${event.message}`);
    },
  }, { ...QUICK_LIMITS, ...options.limits });
}

/** The text of a blob or of a part of it. */
export async function read(
  source: RegistrySource,
  descriptor: Descriptor,
  range?: ByteRange,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob(descriptor, range, NEVER)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

export function blobOf(
  content: string | Uint8Array,
  changes: Partial<Descriptor> = {},
): Descriptor {
  const bytes = Buffer.from(content);
  return {
    mediaType: "application/octet-stream",
    digest: digestOf(bytes),
    size: bytes.length,
    ...changes,
  };
}

export function blobRequest(descriptor: Descriptor): string {
  return `GET /v2/team/app/blobs/${descriptor.digest}`;
}

export const LAYER = blobOf("a layer");
export const MANIFEST = manifestText();
export const MANIFEST_DIGEST = digestOf(Buffer.from(MANIFEST));

export function manifestText(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { ...blobOf("{}"), mediaType: OCI_CONFIG },
    layers: [LAYER],
    ...changes,
  });
}

export function indexText(
  manifests: readonly (readonly [text: string, platform: Record<string, string>, type?: string])[],
): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: manifests.map(([text, platform, type]) => ({
      ...blobOf(text),
      mediaType: type ?? OCI_MANIFEST,
      platform,
    })),
  });
}

export function manifestAnswer(text = MANIFEST, mediaType = OCI_MANIFEST) {
  return { headers: { "Content-Type": mediaType }, body: text };
}

/** For `assert.rejects`. */
export function isError(code: ErrorCode, message: RegExp) {
  return (error: unknown): boolean => {
    if (!(error instanceof DenrootError)) throw error;
    if (error.code === code && message.test(error.message)) return true;
    throw new Error(`The error is ${error.code}: ${error.message}`, { cause: error });
  };
}
