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
  /** How many tags or repositories to ask for in one page of their list. */
  readonly namesPerPage: number;
  /** For one page of a list, and for the number of its pages. */
  readonly pageBytes: number;
  readonly pages: number;
  /** How many tags one repository may have, and how many repositories a registry. */
  readonly listedNames: number;
  /** How often an upload notes where it could be resumed, in bytes. */
  readonly checkpointBytes: number;
  /** How long a registry may work before it answers a write: it digests and moves what it got. */
  readonly commitTimeoutMs: number;
  /** How long the end of an upload that failed may take. */
  readonly cancelTimeoutMs: number;
  /** How often it is asked for the place of an upload that it does not forget. */
  readonly cancelRounds: number;
  /** When a request that lasted so long is cut, the next one is made shorter. */
  readonly longRequestMs: number;
  /** The sizes of parts, tried in this order where a registry does not take a blob as a whole. */
  readonly partBytes: readonly number[];
  /** How often an index of referrers is written again that others change too. */
  readonly referrersRounds: number;
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
  namesPerPage: 1000,
  pageBytes: 16 * 1024 * 1024,
  pages: 10_000,
  listedNames: 1_000_000,
  checkpointBytes: 32 * 1024 * 1024,
  commitTimeoutMs: 900_000,
  cancelTimeoutMs: 5_000,
  cancelRounds: 5,
  longRequestMs: 240_000,
  partBytes: [64, 8, 4, 1].map((mib) => mib * 1024 * 1024),
  referrersRounds: 8,
};
