/**
 * A registry that has the sample image under every name and every tag; `busybox` is an image in which
 * commands run.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Answer,
  type FakeRegistry,
  type ReceivedRequest,
  startFakeRegistry,
} from "../helpers/fake_registry.ts";
import { busyboxLayer } from "../helpers/busybox_layer.ts";
import { type Blob, jsonBlob, writeImage } from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serveImages } from "../helpers/serve_images.ts";

const layout = fileURLToPath(new URL("../../sample/hello", import.meta.url));
const index: { manifests: { digest: string; mediaType: string }[] } = JSON.parse(
  readFileSync(join(layout, "index.json"), "utf8"),
);
const TAGS = ["1.10", "1.9", "latest", "windows"];
/** What the tag `windows` names. */
const forWindows: Blob = jsonBlob("application/vnd.oci.image.index.v1+json", {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.index.v1+json",
  manifests: [{
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: index.manifests[0]!.digest,
    size: 1000,
    platform: { os: "windows", architecture: "amd64" },
  }],
});

/** The busybox image lies in `directory`. */
export function startSampleRegistry(
  directory = scratchDirectory("registry"),
): Promise<FakeRegistry> {
  const latest = writeImage(directory, { layers: [busyboxLayer()] });
  const serveBusybox = serveImages({ latest });
  return startFakeRegistry((request) => {
    const line = request.line.replace("/library/busybox/", "/app/");
    return line === request.line ? answer(request) : serveBusybox({ ...request, line });
  });
}

function answer({ line, headers }: ReceivedRequest): Answer {
  const [, path = ""] = line.split(" ");
  if (path === "/v2/") return { body: "{}" };
  if (path.startsWith("/v2/_catalog")) {
    return { body: JSON.stringify({ repositories: ["base/os", "team/app"] }) };
  }
  const [, name, kind, what = ""] = /^\/v2\/(.+)\/(tags|manifests|blobs)\/([^?]+)/.exec(path) ?? [];
  switch (kind) {
    case "tags":
      return { body: JSON.stringify({ name, tags: TAGS }) };
    case "manifests":
      // Nothing refers to the image.
      if (/^sha256-/.test(what)) return { status: 404 };
      return what === "windows" ? manifest(forWindows) : manifest(readBlob(what));
    case "blobs":
      return blob(readBlob(what).bytes, headers["range"]);
    default:
      return { status: 404 };
  }
}

/** A tag is the layout's one image. */
function readBlob(name: string): Pick<Blob, "digest" | "mediaType" | "bytes"> {
  const digest = name.includes(":") ? name : index.manifests[0]!.digest;
  const bytes = readFileSync(join(layout, "blobs", digest.replace(":", "/")));
  const isJson = bytes[0] === "{".charCodeAt(0);
  return { digest, mediaType: isJson ? JSON.parse(bytes.toString()).mediaType : "", bytes };
}

function manifest({ digest, mediaType, bytes }: Omit<Blob, "size">): Answer {
  return { headers: { "content-type": mediaType, "docker-content-digest": digest }, body: bytes };
}

function blob(bytes: Uint8Array, range: string | undefined): Answer {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (start === undefined) return { body: bytes };
  const last = end === "" ? bytes.length - 1 : Number(end);
  return {
    status: 206,
    headers: { "content-range": `bytes ${start}-${last}/${bytes.length}` },
    body: bytes.subarray(Number(start), last + 1),
  };
}
