/** Recognises the image at a path by its content, and opens it. */

import { existsSync, lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { DenrootError, hasCode, isMissing, messageOf } from "../../errors.ts";
import { blobPath, parseDigest } from "../../oci/digest.ts";
import { isUsable } from "../../oci/choose_platform.ts";
import { MAX_MANIFEST_SIZE, parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { parseReference } from "../../reference/parse_reference.ts";
import { requireImage } from "../../oci/require_image.ts";
import { TarError } from "../../tar/entry.ts";
import { quotePath, quoteText } from "../../text/quote_text.ts";
import type { Digest, ImageManifest } from "../../types/image.ts";
import type { PathReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import type { ArchiveContents } from "../archive/archive_contents.ts";
import { openArchive } from "../archive/open_archive.ts";
import { readSavedImages } from "../archive/saved_image.ts";
import { openDirectory } from "../directory/source.ts";
import { sourceOfArchive } from "../archive/source.ts";
import { isSplit } from "../archive/split_names.ts";
import { filesOfArchive, filesOfDirectory, type ImageFiles } from "../image_files.ts";
import { openLayout, readLayoutEntries } from "../layout/source.ts";
import { openOciLayout } from "../layout/oci_layout.ts";
import type { SourceContext } from "../source_context.ts";

/**
 * The source's URI has the scheme that was recognised.
 *
 * Throws code `not_found` when the path does not exist, `reference` when the content can be read as
 * two kinds of image, `unsupported` when it is not an image that denroot can read.
 */
export async function openPath(
  { path }: PathReference,
  context: SourceContext,
): Promise<ImageSource> {
  if (!isSplit(path) && statOf(path).isDirectory()) {
    return await openRecognisedDirectory(path, context);
  }
  const contents = await openSomeArchive(path, context);
  return await contents.openAs(() => openRecognisedArchive(path, contents, context));
}

async function openSomeArchive(path: string, context: SourceContext): Promise<ArchiveContents> {
  try {
    return await openArchive(path, context);
  } catch (cause) {
    const isDamaged = hasCode(cause, "file") &&
      (cause.cause instanceof TarError || hasCode(cause.cause, "layer"));
    if (!isDamaged) throw cause;
    const hint = `If the file was cut short, copy it again; ${KINDS}`;
    throw new DenrootError("file", cause.message, { cause, hint });
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
 * Whether the layout in an archive of `docker save` has all images of the archive. Docker 25 and later
 * write such a layout. It is then preferred, because only the layout has the digests of the stored
 * layers and images for several platforms. Throws code `reference` when the layout has other images
 * than the archive.
 */
async function isLayoutWhole(files: ImageFiles, contents: ArchiveContents): Promise<boolean> {
  const saved = readSavedImages(contents);
  if (contents.find("index.json") === undefined) return false;
  for (const { digest } of (await readLayoutEntries(files)).filter(isUsable)) {
    const manifest = await readImageManifest(files, digest);
    if (manifest === undefined) continue;
    const { config, layers } = manifest;
    const same = saved.find((image) => image.config.includes(parseDigest(config.digest).hex));
    if (same === undefined) {
      throw ambiguous(files.path, [`oci-archive:${files.path}`, `docker-archive:${files.path}`]);
    }
    // Docker 25.0 wrote layouts without the layers.
    if (same.layers.length !== layers.length) return false;
  }
  return true;
}

/**
 * Gives undefined for an index, an artifact, and an entry whose document is missing or invalid: the
 * entry may not be needed.
 */
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
    if (isMissing(cause)) {
      throw nothingThere(path, cause);
    }
    throw new DenrootError("file", `${quotePath(path)} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function explainArchive(contents: ArchiveContents, path: string): Explanation {
  const names = [...contents.names];
  const below = names.map((name) => /^(.+)\/oci-layout$/.exec(name)?.[1])
    .find((directory) => directory !== undefined);
  if (below !== undefined) {
    return {
      what: `its OCI layout is in the directory ${quoteText(below)}, not at the top`,
      hint: "Pack the layout's own files: tar -C DIRECTORY -cf FILE .",
    };
  }
  if (names.length === 0) {
    return { what: "it is empty", hint: "The program that should have written it may have failed" };
  }
  const explained = explainNames(new Set(names.map((name) => name.split("/", 1)[0]!)), path);
  // The missing part may have been at the end of an archive that was cut short.
  return explained.hint === KINDS ? { ...explained, hint: contents.endHint ?? KINDS } : explained;
}

interface Explanation {
  readonly what: string;
  readonly hint: string;
}

/** Explains what a directory or archive is, from the names at its top. */
function explainNames(names: ReadonlySet<string>, path: string): Explanation {
  if (names.has("manifest.json")) {
    return {
      what: "it looks like an unpacked archive of docker save",
      hint: "Pack it again with tar -C DIRECTORY -cf FILE . and import that FILE",
    };
  }
  if (names.has("etc") && (names.has("usr") || names.has("bin"))) {
    return {
      what: "it is a root file system",
      hint:
        `Make an image from it with docker import ${
          path.includes(" ") ? "FILE" : path
        } NAME (for a directory: tar -C DIRECTORY -c . | docker import - NAME), ` +
        "then import dockerd://NAME",
    };
  }
  return { what: "denroot does not recognise its content", hint: KINDS };
}

const KINDS =
  "denroot reads OCI layouts (oci:DIRECTORY, oci-archive:FILE), archives of docker save and " +
  "podman save (docker-archive:FILE), and directories that skopeo wrote (dir:DIRECTORY)";

function nothingThere(path: string, cause: unknown): DenrootError {
  const target = linkTarget(path);
  if (target !== undefined) {
    return new DenrootError(
      "not_found",
      `${quotePath(path)} is a link to ${quotePath(target)}, which does not exist`,
      { cause },
    );
  }
  return new DenrootError("not_found", `There is no file or directory ${quotePath(path)}`, {
    cause,
    hint: otherMeaning(path),
  });
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/** What the user may have meant by a path where nothing is. */
function otherMeaning(path: string): string | undefined {
  if (path === "-") return "To read an archive from standard input, write /dev/stdin";
  const colon = path.indexOf(":");
  const holder = colon > 0 && statSync(path.slice(0, colon), { throwIfNoEntry: false });
  if (holder) {
    return holder.isDirectory()
      ? `To name one image of several, write oci:${path}`
      : `To name one image of several, write oci-archive:${path} or docker-archive:${path}`;
  }
  if (path.startsWith("/")) return undefined;
  const uri = `docker://${path.replace(/^(docker:?\/+|[./]+)/, "")}`;
  return isReference(uri) ? `For an image in a registry, write ${uri}` : undefined;
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

function unknown(path: string, { what, hint }: Explanation): DenrootError {
  return new DenrootError("unsupported", `${quotePath(path)} holds no image: ${what}`, {
    hint,
  });
}

function ambiguous(path: string, candidates: readonly string[]): DenrootError {
  return new DenrootError("reference", `${quotePath(path)} can be read as two kinds of image`, {
    hint: `Write which one is meant: ${candidates.join(" or ")}`,
  });
}
