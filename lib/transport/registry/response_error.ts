/** Makes an error that explains why a registry refused. */

import type { ErrorCode } from "../../errors.ts";
import { plainText } from "../../text/quote_text.ts";
import { redact } from "../../text/redact.ts";
import { withoutSecrets } from "../../http/request_secrets.ts";
import type { HttpResponse } from "../../http/client.ts";
import type { RegistryLimits } from "./limits.ts";
import { describePage, PAGE_HINT } from "./answer.ts";
import { parseRetryAfter } from "../../http/retry.ts";
import { shownUrl, TransferError } from "../../http/transfer_error.ts";
import { tellErrors } from "./told_errors.ts";

/** A registry's refusal. `codes` are the error codes of the specification that came with it. */
export class RefusedError extends TransferError {
  readonly codes: readonly string[];

  constructor(codes: readonly string[], ...rest: ConstructorParameters<typeof TransferError>) {
    super(...rest);
    this.codes = codes;
  }
}

/**
 * Reads and ends the body of an answer that is no success (distribution-spec, "Error Codes").
 * `what` names what was asked for, as in "The manifest of ubuntu:24.04". `hints` says what to do
 * about some of the specification's error codes, or about statuses.
 */
export async function responseError(
  response: HttpResponse,
  what: string,
  limits: RegistryLimits,
  hints: Readonly<Record<string, string | undefined>> = {},
): Promise<RefusedError> {
  const body = await response.body.textStart(limits.errorBytes);
  const text = redact(withoutSecrets(body, response.secrets));
  const { status } = response;
  const page = describePage(response, text);
  const { codes, told } = page === undefined ? tellErrors(text) : { codes: [], told: page };
  if (status === 429 || /toomanyrequests/i.test(text)) {
    return rateLimitError(response, codes, told);
  }
  const where = shownUrl(response.url);
  const said = told === "" ? "" : `: ${told}`;
  return new RefusedError(
    codes,
    codeOf(status),
    `${what}: ${meaningOf(status)} (${where})${said}`,
    {
      status,
      transient: status >= 500 || status === 408 || status === 425,
      retryAfterMs: parseRetryAfter(response.header("retry-after")),
      hint: page !== undefined && (status < 300 || PAGE_STATUSES.has(status))
        ? PAGE_HINT
        : [...codes, status].map((key) => hints[key]).find((hint) => hint !== undefined) ??
          HINTS[status],
    },
  );
}

function rateLimitError(
  response: HttpResponse,
  codes: readonly string[],
  told: string,
): RefusedError {
  const facts = [told, ...quota(response)].filter((fact) => fact !== "");
  return new RefusedError(
    codes,
    "rate_limit",
    `${plainText(response.url.host)} got too many requests${
      facts.length > 0 ? `: ${facts.join("; ")}` : ""
    }`,
    {
      status: response.status,
      transient: true,
      retryAfterMs: parseRetryAfter(response.header("retry-after")),
      hint: "Wait, or add credentials: registries allow more to known users",
    },
  );
}

/** "76;w=21600" means 76 requests in 21600 seconds. */
function quota(response: HttpResponse): string[] {
  const facts = [];
  for (const [name, label] of [["ratelimit-limit", "limit"], ["ratelimit-remaining", "left"]]) {
    const match = /^\s*(\d+)(?:\s*;\s*w=(\d+))?/.exec(response.header(name!) ?? "");
    if (match === null) continue;
    facts.push(`${label} ${match[1]}${match[2] ? ` in ${Number(match[2]) / 3600} hours` : ""}`);
  }
  const retryAfterMs = parseRetryAfter(response.header("retry-after"));
  if (retryAfterMs !== undefined) {
    facts.push(`it asks to wait ${Math.ceil(retryAfterMs / 1000)} seconds`);
  }
  return facts;
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403 || status === 407) return "credentials";
  return status === 404 || status === 410 ? "not_found" : "registry";
}

function meaningOf(status: number): string {
  const meaning = MEANINGS[status];
  return meaning === undefined ? `the server answered ${status}` : `${meaning}, status ${status}`;
}

const MEANINGS: Readonly<Record<number, string>> = {
  401: "authentication is required",
  403: "access is denied",
  404: "not found",
  407: "the proxy asks for credentials",
  500: "the server failed",
  502: "the server's backend failed",
  503: "the server is unavailable",
  504: "the server's backend did not answer",
};

/** With these a page is hardly the registry's own; with 401 it may be, and with 5xx it often is. */
const PAGE_STATUSES: ReadonlySet<number> = new Set([400, 403, 404, 405, 451, 511]);

const HINTS: Readonly<Record<number, string>> = {
  401: "Check the credentials for this registry",
  403: "Check that the credentials for this registry may read this image",
  407: "Write the proxy's user and password into its URL: http://USER:PASSWORD@PROXY:PORT",
  404: "Check the names of registry, image and tag; private images need credentials",
};

/** What to do where a registry has an image, but not all of its parts. */
export const PART_HINTS: Readonly<Record<string, string>> = {
  404:
    "The registry has the image's name, but not all of the image: its owner has to push it again",
};
