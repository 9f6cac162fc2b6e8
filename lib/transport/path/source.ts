/** A path alone -> the source of whatever lies there, known by its content. */

import { Buffer } from "node:buffer";
import { closeSync, existsSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { DenrootError, hasCode, messageOf } from "../../errors.ts";
import { blobPath, parseDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_SIZE, parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { requireImage } from "../../oci/require_image.ts";
import { quotePath, quoteText } from "../../text/quote_text.ts";
import type { Digest, ImageManifest } from "../../types/image.ts";
import type { PathReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import type { ArchiveContents } from "../archive/archive_contents.ts";
import { openArchive } from "../archive/open_archive.ts";
import { readSavedImages } from "../archive/saved_image.ts";
import { openDirectory } from "../directory/source.ts";
import { sourceOfArchive } from "../archive/source.ts";
import { filesOfArchive, filesOfDirectory, type ImageFiles } from "../image_files.ts";
import { openLayout, readLayoutEntries } from "../layout/source.ts";
import { openOciLayout } from "../layout/oci_layout.ts";
import type { SourceContext } from "../source_context.ts";

/**
 * The source's URI has the scheme that the content shows.
 *
 * Throws code `not_found` when nothing is there, `reference` when it may be several things,
 * `unsupported` for what is no image that denroot knows.
 */
export async function openPath(
  { path }: PathReference,
  context: SourceContext,
): Promise<ImageSource> {
  const stats = statOf(path);
  if (stats.isDirectory()) return await openRecognisedDirectory(path, context);
  if (stats.isFile()) refuseOtherImages(path);
  const contents = await openSomeArchive(path, context);
  return await contents.openAs(() => openRecognisedArchive(path, contents, context));
}

async function openSomeArchive(path: string, context: SourceContext): Promise<ArchiveContents> {
  try {
    return await openArchive(path, context);
  } catch (cause) {
    if (!hasCode(cause, "file")) throw cause;
    throw new DenrootError("file", cause.message, { cause, hint: cause.hint ?? KINDS });
  }
}

async function openRecognisedDirectory(path: string, context: SourceContext): Promise<ImageSource> {
  const files = filesOfDirectory(path);
  const isLayout = files.locate("oci-layout") !== undefined;
  const isDirectory = files.locate("version") !== undefined &&
    files.locate("manifest.json") !== undefined;
  if (isLayout && isDirectory) throw ambiguous(path, [`oci:${path}`, `dir:${path}`]);
  if (isLayout) return await openOciLayout({ scheme: "oci", path }, context);
  if (isDirectory) return await openDirectory({ scheme: "dir", path }, context);
  const names = ["manifest.json", "etc", "bin", "usr", "rootfs"]
    .filter((name) => existsSync(`${path}/${name}`));
  throw unknown(path, explainNames(new Set(names), path));
}

async function openRecognisedArchive(
  path: string,
  contents: ArchiveContents,
  context: SourceContext,
): Promise<ImageSource> {
  const isSaved = contents.find("manifest.json") !== undefined;
  if (contents.find("oci-layout") !== undefined) {
    const files = filesOfArchive(path, contents);
    if (!isSaved || await isLayoutWhole(files, contents)) {
      return await openLayout(files, { scheme: "oci-archive", path });
    }
  }
  if (isSaved) return sourceOfArchive(contents, { scheme: "docker-archive", path }, context);
  throw unknown(path, explainArchive(contents, path));
}

/**
 * Whether the layout inside an archive of `docker save`, as Docker 25 and later write it, has all
 * that the archive has. It is read then: it alone knows the digests of stored layers, and images for
 * several platforms. Throws code `reference` when it holds other images.
 */
async function isLayoutWhole(files: ImageFiles, contents: ArchiveContents): Promise<boolean> {
  const saved = readSavedImages(contents);
  if (contents.find("index.json") === undefined) return false;
  for (const { digest } of await readLayoutEntries(files)) {
    const manifest = await readImageManifest(files, digest);
    if (manifest === undefined) continue;
    const { config, layers } = manifest;
    const same = saved.find((image) => image.config.includes(parseDigest(config.digest).hex));
    if (same === undefined) {
      throw ambiguous(files.path, [`oci-archive:${files.path}`, `docker-archive:${files.path}`]);
    }
    // Docker 25.0 left the layers out.
    if (same.layers.length !== layers.length) return false;
  }
  return true;
}

/** Undefined for an index, an artifact, and an entry without its document: it may not be needed. */
async function readImageManifest(
  files: ImageFiles,
  digest: Digest,
): Promise<ImageManifest | undefined> {
  try {
    const parsed = parseManifestOrIndex(await files.read(blobPath(digest), MAX_MANIFEST_SIZE));
    return parsed.kind === "manifest" ? requireImage(parsed.manifest) : undefined;
  } catch (error) {
    if (error instanceof DenrootError) return undefined;
    throw error;
  }
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    if (/^(ENOENT|ENOTDIR)$/.test((cause as NodeJS.ErrnoException).code ?? "")) {
      throw nothingThere(path, cause);
    }
    throw new DenrootError("file", `${quotePath(path)} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

const OTHER_IMAGES: readonly { at: number; magic: string; what: string; hint: string }[] = [
  {
    at: 0,
    magic: "hsqs",
    what: "a squashfs image",
    hint: "An enroot image needs no import: give it to enroot create",
  },
  {
    at: 32,
    magic: "SIF_MAGIC",
    what: "a Singularity image (SIF)",
    hint: "Import the container image that it was built from",
  },
];

function refuseOtherImages(path: string): void {
  const start = Buffer.alloc(64);
  try {
    const fd = openSync(path, "r");
    try {
      readSync(fd, start, 0, start.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whoever opens it next says what is wrong.
    return;
  }
  for (const { at, magic, what, hint } of OTHER_IMAGES) {
    if (start.toString("latin1", at, at + magic.length) !== magic) continue;
    throw new DenrootError("unsupported", `${quotePath(path)} is ${what} already`, { hint });
  }
}

function explainArchive(contents: ArchiveContents, path: string): Explanation {
  const names = [...contents.names];
  const below = names.map((name) => /^(.+)\/oci-layout$/.exec(name)?.[1])
    .find((directory) => directory !== undefined);
  if (below !== undefined) {
    return {
      what: `it has an OCI layout, but below ${quoteText(below)}`,
      hint: "Pack the layout's files themselves: tar -C DIRECTORY -cf FILE .",
    };
  }
  if (names.length === 0) {
    return { what: "it is empty", hint: "The program that was to write it may have failed" };
  }
  const explained = explainNames(new Set(names.map((name) => name.split("/", 1)[0]!)), path);
  // What is missing may have come behind the cut.
  return explained.hint === KINDS ? { ...explained, hint: contents.endHint ?? KINDS } : explained;
}

interface Explanation {
  readonly what: string;
  readonly hint: string;
}

/** What the names at the top of a directory or archive tell. */
function explainNames(names: ReadonlySet<string>, path: string): Explanation {
  if (names.has("manifest.json")) {
    return {
      what: "it looks like an archive of docker save that was unpacked",
      hint: "Pack it again: tar -C DIRECTORY -cf FILE . and name that FILE",
    };
  }
  if (names.has("etc") && (names.has("usr") || names.has("bin"))) {
    return {
      what: "it is a root file system",
      hint: `Make an image of it first: docker import ${
        path.includes(" ") ? "FILE" : path
      } NAME, then import dockerd://NAME (a directory: tar -C DIRECTORY -c . | docker import - NAME)`,
    };
  }
  return { what: "it is none of the kinds that denroot knows", hint: KINDS };
}

const KINDS =
  "Known are OCI layouts (oci:DIRECTORY, oci-archive:FILE), archives of docker save and " +
  "podman save (docker-archive:FILE), and directories that skopeo wrote (dir:DIRECTORY)";

function nothingThere(path: string, cause: unknown): DenrootError {
  const colon = path.indexOf(":");
  const holder = colon > 0 && statSync(path.slice(0, colon), { throwIfNoEntry: false });
  const hint = !holder
    ? `For an image in a registry write docker://${path.replace(/^[./]+/, "")}`
    : holder.isDirectory()
    ? `For one image of several write oci:${path}`
    : `For one image of several write oci-archive:${path} or docker-archive:${path}`;
  return new DenrootError("not_found", `There is no file or directory ${quotePath(path)}`, {
    cause,
    hint,
  });
}

function unknown(path: string, { what, hint }: Explanation): DenrootError {
  return new DenrootError("unsupported", `${quotePath(path)} holds no image: ${what}`, {
    hint,
  });
}

function ambiguous(path: string, candidates: readonly string[]): DenrootError {
  return new DenrootError("reference", `${quotePath(path)} may be one of several images`, {
    hint: `Say which is meant: ${candidates.join(" or ")}`,
  });
}
