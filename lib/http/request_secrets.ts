/** What of a request must not be shown, should a server's answer quote it. */

import { Buffer } from "node:buffer";
import type { HttpRequest } from "./client.ts";

/** Shorter texts would be found in any message. */
const SHORTEST = 4;

/** Passwords and tokens of the Authorization header, of a posted form and of the URL's query. */
export function requestSecrets({ headers, body, url }: HttpRequest): readonly string[] {
  const token = headers["authorization"]?.replace(/^\w+ /, "") ?? "";
  const pair = Buffer.from(token, "base64").toString("utf8");
  const form = typeof body === "string" ? new URLSearchParams(body) : new URLSearchParams();
  const texts = [
    token,
    pair.slice(pair.indexOf(":") + 1),
    form.get("refresh_token") ?? "",
    ...[...url.searchParams].filter(([name]) => SIGNATURE.test(name)).map(([, value]) => value),
  ];
  const encoded = texts.map(encodeURIComponent);
  return [...texts, ...encoded].filter((text) => text.length >= SHORTEST);
}

/** Parameters of the signed URLs of S3, Azure and Google. */
const SIGNATURE = /signature|credential|token|^sig$|accesskey/i;

/** `text` with `***` in the place of each secret. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}
