/** Every bound of the registry dialogue. */

import { DEFAULT_HTTP_LIMITS, type HttpLimits } from "../../http/limits.ts";
import { MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";

export interface RegistryLimits extends HttpLimits {
  /** A manifest, an index. 4 MiB is the least that a registry must take. */
  readonly manifestBytes: number;
  /** Challenges answered for one request. */
  readonly challenges: number;
  readonly tokenBytes: number;
  /** The same of a mirror, where the next place need not wait. */
  readonly mirrorRetryAfterMaxMs: number;
  /** How often a failed request to a mirror is made again, if the settings do not say less. */
  readonly mirrorRetries: number;
  /** An attempt that brought this much is no sign of a hopeless transfer. */
  readonly progressBytes: number;
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
  ...DEFAULT_HTTP_LIMITS,
  manifestBytes: MAX_MANIFEST_SIZE,
  challenges: 3,
  tokenBytes: 1024 * 1024,
  mirrorRetryAfterMaxMs: 5_000,
  mirrorRetries: 1,
  progressBytes: 1024 * 1024,
  redirectReuseMs: 60_000,
  tagsPerPage: 1000,
  tagPageBytes: 16 * 1024 * 1024,
  tagPages: 10_000,
  tags: 1_000_000,
};
