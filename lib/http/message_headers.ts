/** The headers of requests and answers. */

import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { HttpRequest, HttpResponse } from "./client.ts";
import { requestSecrets } from "./request_secrets.ts";
import type { ResponseBody } from "./response_body.ts";
import { StreamedBody } from "./streamed_body.ts";

/** Bodies are taken as they are stored: denroot decodes nothing here, and asks for nothing encoded. */
const DEFAULT_HEADERS = { "user-agent": "denroot", "accept-encoding": "identity" };

/**
 * Every request that may have a body states its length, 0 too: the runtime would fall back to
 * chunked encoding, which some servers refuse.
 */
export function requestHeaders({ method, headers, body }: HttpRequest): Record<string, string> {
  const mayHaveBody = method === "POST" || method === "PUT" || method === "PATCH";
  const hasLength = body !== undefined || mayHaveBody;
  return {
    ...DEFAULT_HEADERS,
    ...headers,
    ...(hasLength && { "content-length": String(lengthOf(body)) }),
  };
}

function lengthOf(body: HttpRequest["body"]): number {
  if (body === undefined) return 0;
  if (typeof body === "string") return Buffer.byteLength(body, "utf8");
  return body instanceof StreamedBody ? body.size : body.length;
}

export function toHttpResponse(
  request: HttpRequest,
  incoming: IncomingMessage,
  body: ResponseBody,
): HttpResponse {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    const name = incoming.rawHeaders[i]!.toLowerCase();
    const value = incoming.rawHeaders[i + 1]!;
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return {
    url: request.url,
    status: incoming.statusCode ?? 0,
    header: (name) => values.get(name.toLowerCase())?.[0],
    headers: (name) => values.get(name.toLowerCase()) ?? [],
    get secrets() {
      return requestSecrets(request);
    },
    body,
  };
}
