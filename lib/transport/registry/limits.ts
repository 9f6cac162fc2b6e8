/** Every limit of the dialogue with a registry. */

import { DEFAULT_HTTP_LIMITS, type HttpLimits } from "../../http/limits.ts";
import { MAX_MANIFEST_SIZE } from "../../oci/parse_manifest.ts";

export interface RegistryLimits extends HttpLimits {
  /** For a manifest or an index. Every registry must accept up to 4 MiB. */
  readonly manifestBytes: number;
  /** How many challenges are answered for one request. */
  readonly challenges: number;
  readonly tokenBytes: number;
  /** `retryAfterMaxMs` at a mirror: the next location need not wait. */
  readonly mirrorRetryAfterMaxMs: number;
  /** How often a failed request to a mirror is made again, unless the settings say less. */
  readonly mirrorRetries: number;
  /** An attempt that brought this many bytes does not count as a failure. */
  readonly progressBytes: number;
  /** How long the target of a blob's redirect is used without asking the registry again. */
  readonly redirectReuseMs: number;
  /** How many tags to ask for in one page of the list. */
  readonly tagsPerPage: number;
  readonly tagPageBytes: number;
  readonly tagPages: number;
  /** How many tags one repository may have. */
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
