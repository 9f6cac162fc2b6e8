/** Reads what a registry answers: JSON, the digest in a header; and recognises other servers' answers. */

import { gunzipSync } from "node:zlib";
import { systemCode } from "../../errors.ts";
import type { HttpResponse } from "../../http/client.ts";
import { withoutSecrets } from "../../http/request_secrets.ts";
import { TransferError } from "../../http/transfer_error.ts";
import { isDigest } from "../../oci/digest.ts";
import { essenceOf } from "../../oci/media_types.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { redact } from "../../text/redact.ts";
import type { Digest } from "../../types/image.ts";
import { tellRefusal } from "./told_errors.ts";

/** A title is looked for in this part of a page, in bytes. */
const TITLE_RANGE = 64 * 1024;

export const PAGE_HINT =
  "Check the name of the registry, and whether a proxy, a VPN or a login page " +
  "answers in its place";

/**
 * Reads the body of an answer with status 200 that must be JSON. It is decompressed when the server
 * compressed it, although denroot asks for plain bytes. `what` names what was asked for. `tooLong`
 * makes the error for more than `limit` bytes.
 *
 * Throws code `registry` for an answer that is not JSON, such as the page of a proxy, and for errors.
 */
export async function readJsonAnswer(
  response: HttpResponse,
  what: string,
  limit: number,
  tooLong: () => TransferError,
): Promise<Uint8Array> {
  if (Number(response.header("content-length") ?? 0) > limit) {
    response.body.destroy();
    throw tooLong();
  }
  const received = await response.body.bytes(limit, tooLong);
  const bytes = decode(received, response, what, limit, tooLong);
  const start = textOf(bytes.subarray(0, TITLE_RANGE));
  const page = describePage(response, start);
  if (page !== undefined) throw pageError(response, what, page);
  if (!/^\s*[[{]/.test(start)) throw notJson(response, what, start);
  const told = bytes.length > TITLE_RANGE ? undefined : tellRefusal(start);
  if (told !== undefined) throw refusal(response, what, told);
  return bytes;
}

/**
 * Gives `a web page (text/html), "Log in"` when the answer is one, with the title that it has. No
 * other part of it is shown. `text` is the beginning of the body.
 */
export function describePage(response: HttpResponse, text: string): string | undefined {
  const isPage = isHtml(response) ||
    /^(?:\s|<!--.*?-->)*<(?:!doctype\s+html|html|head)\b/is.test(text);
  if (!isPage || /^\s*[[{]/.test(text)) return undefined;
  const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1]?.replace(/\s+/g, " ").trim() ?? "";
  const type = essenceOf(response.header("content-type"));
  const page = type === "" ? "a web page" : `a web page (${plainText(type, 80)})`;
  return title === "" ? page : `${page}, ${quoteText(title, 80)}`;
}

/** The digest that the registry gives a document; undefined when it says none that can be one. */
export function announcedDigest(response: HttpResponse): Digest | undefined {
  const text = response.header("docker-content-digest")?.trim() ?? "";
  return isDigest(text) ? text : undefined;
}

export function isHtml(response: HttpResponse): boolean {
  return /^(?:text\/html|application\/xhtml\+xml)$/.test(
    essenceOf(response.header("content-type")),
  );
}

/** The error for a page where something of a registry was expected. */
export function pageError(
  { url, status }: HttpResponse,
  what: string,
  page: string,
  transient = false,
): TransferError {
  return new TransferError("registry", `${what}: ${plainText(url.host)} answered with ${page}`, {
    status,
    transient,
    hint: PAGE_HINT,
  });
}

/** The Content-Encoding of an answer; undefined when there is none. */
export function encodingOf(response: HttpResponse): string | undefined {
  const name = response.header("content-encoding")?.trim().toLowerCase() ?? "";
  return name === "" || name === "identity" ? undefined : name;
}

/** Some servers name an encoding and send plain bytes: the bytes decide. */
function decode(
  bytes: Uint8Array,
  response: HttpResponse,
  what: string,
  limit: number,
  tooLong: () => TransferError,
): Uint8Array {
  const encoding = encodingOf(response);
  if (encoding === undefined || /^\s*[[{<]/.test(textOf(bytes.subarray(0, 64)))) return bytes;
  if (!/^(?:x-)?gzip$/.test(encoding)) throw wrongEncoding(response, what, encoding);
  try {
    return gunzipSync(bytes, { maxOutputLength: limit });
  } catch (cause) {
    if (systemCode(cause) === "ERR_BUFFER_TOO_LARGE") throw tooLong();
    throw wrongEncoding(response, what, encoding, cause);
  }
}

function wrongEncoding(
  { url }: HttpResponse,
  what: string,
  encoding: string,
  cause?: unknown,
): TransferError {
  return new TransferError(
    "registry",
    `${what}: ${plainText(url.host)} sent it with the Content-Encoding ${
      quoteText(encoding, 40)
    }, ` +
      "which denroot did not ask for and cannot undo",
    { cause, hint: "Check whether a proxy compresses the answers of the registry" },
  );
}

function notJson(response: HttpResponse, what: string, start: string): TransferError {
  const type = essenceOf(response.header("content-type"));
  const kind = type === "" ? "something" : `${quoteText(type, 80)},`;
  const answer = start.trim() === "" ? "with nothing" : `with ${kind} which is no JSON object`;
  return new TransferError(
    "registry",
    `${what}: ${plainText(response.url.host)} answered ${answer}`,
    { status: response.status, hint: PAGE_HINT },
  );
}

/** Some proxies refuse with status 200. */
function refusal(response: HttpResponse, what: string, told: string): TransferError {
  const words = redact(withoutSecrets(told, response.secrets));
  return new TransferError(
    "registry",
    `${what}: ${plainText(response.url.host)} answered with an error${words && `: ${words}`}`,
    { status: response.status, hint: PAGE_HINT },
  );
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
