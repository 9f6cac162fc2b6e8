/** Every bound of the registry dialogue. */

import { MAX_INDEX_DEPTH, MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";

export interface RegistryLimits {
  /** A manifest, an index. 4 MiB is the least that a registry must take. */
  readonly manifestBytes: number;
  /** Indexes inside indexes. */
  readonly indexDepth: number;
  readonly redirects: number;
  /** Challenges answered for one request. */
  readonly challenges: number;
  /** What is read of an error's body. */
  readonly errorBytes: number;
  readonly tokenBytes: number;
  /** Without a byte for this long an attempt has failed. */
  readonly stallTimeoutMs: number;
  /** Of the first retry; it doubles with each. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** The longest wait that a server can ask for. */
  readonly retryAfterMaxMs: number;
  /** The same of a mirror, where the next place need not wait. */
  readonly mirrorRetryAfterMaxMs: number;
  /** How often a failed request to a mirror is made again, if the settings do not say less. */
  readonly mirrorRetries: number;
  /** An attempt that brought this much is no sign of a hopeless transfer. */
  readonly progressBytes: number;
  /** Received and not yet taken, for each response. */
  readonly bufferedBytes: number;
  /** How long the target of a blob's redirect is used again. */
  readonly redirectReuseMs: number;
  /** Asked for in one page of a list of tags. */
  readonly tagsPerPage: number;
  readonly tagPageBytes: number;
  readonly tagPages: number;
  /** Of one repository. */
  readonly tags: number;
}

export const DEFAULT_LIMITS: RegistryLimits = {
  manifestBytes: MAX_MANIFEST_SIZE,
  indexDepth: MAX_INDEX_DEPTH,
  redirects: 10,
  challenges: 3,
  errorBytes: 64 * 1024,
  tokenBytes: 1024 * 1024,
  stallTimeoutMs: 60_000,
  backOffMs: 500,
  backOffMaxMs: 30_000,
  retryAfterMaxMs: 120_000,
  mirrorRetryAfterMaxMs: 5_000,
  mirrorRetries: 1,
  progressBytes: 1024 * 1024,
  bufferedBytes: 1024 * 1024,
  redirectReuseMs: 60_000,
  tagsPerPage: 1000,
  tagPageBytes: 16 * 1024 * 1024,
  tagPages: 10_000,
  tags: 1_000_000,
};
