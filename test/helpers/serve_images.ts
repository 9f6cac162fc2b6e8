/** Answers for a fake registry that has images in memory, and understands ranges. */

import type { Answer, ReceivedRequest, Respond } from "./fake_registry.ts";
import type { Blob, Image } from "./image_fixture.ts";

export interface ServeOptions {
  /** What an answer with this blob waits for. */
  readonly delay?: (digest: string) => Promise<void> | undefined;
  /** Changes an answer with a blob. */
  readonly change?: (answer: Answer, request: ReceivedRequest) => Answer;
  readonly ignoresRanges?: boolean;
}

/** Each image is `app:TAG` of the registry. */
export function serveImages(
  images: Readonly<Record<string, Image>>,
  { delay, change = (answer) => answer, ignoresRanges = false }: ServeOptions = {},
): Respond {
  return async (request) => {
    const [, kind, name] =
      /^(?:GET|HEAD) \/v2\/app\/(manifests|blobs)\/([^?]+)/.exec(request.line) ??
        [];
    if (name === undefined) return { body: "{}" };
    if (kind === "manifests") return manifestAnswer(images, name);
    const blob = Object.values(images).flatMap(({ config, layers }) => [config, ...layers])
      .find(({ digest }) => digest === name);
    if (blob === undefined) return { status: 404 };
    await delay?.(blob.digest);
    return change(blobAnswer(blob, ignoresRanges ? undefined : request.headers.range), request);
  };
}

function manifestAnswer(images: Readonly<Record<string, Image>>, name: string): Answer {
  const image = images[name] ??
    Object.values(images).find(({ manifest }) => manifest.digest === name);
  if (image === undefined) return { status: 404 };
  const { mediaType, digest, bytes } = image.manifest;
  return { headers: { "Content-Type": mediaType, "Docker-Content-Digest": digest }, body: bytes };
}

function blobAnswer({ bytes }: Blob, range: string | undefined): Answer {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === undefined) return { body: bytes };
  const end = Math.min(last === "" ? Infinity : Number(last) + 1, bytes.length);
  return {
    status: 206,
    headers: { "Content-Range": `bytes ${first}-${end - 1}/${bytes.length}` },
    body: bytes.subarray(Number(first), end),
  };
}
