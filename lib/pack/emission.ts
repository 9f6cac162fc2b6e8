/** Emits the entries of the enroot image, with the permissions and times that they get. */

import { DenrootError } from "../errors.ts";
import { usableMode } from "../enroot/permissions.ts";
import type { OwnFile } from "../enroot/own_files.ts";
import type { ImageLedger } from "../squashfs/image_ledger.ts";
import { BLOCK, type TarEntry } from "../tar/entry.ts";
import type { EntryHeader } from "../tar/tar_writer.ts";
import type { EntrySink } from "./entry_sink.ts";

interface EmissionOptions {
  /** The time of all entries: seconds since 1970. Undefined leaves them their own. */
  readonly allTime: number | undefined;
  /** The time of entries that no layer has: seconds since 1970. */
  readonly defaultTime: number;
  /** Called now and then with the count of bytes of headers and contents so far. */
  readonly onBytes: (bytes: number) => void;
  /** How many bytes of content, holes included, an image may have. */
  readonly maxBytes: number;
  /** Remembers what was emitted, to compare the finished image with it. */
  readonly ledger?: ImageLedger | undefined;
  /** Called with each path. */
  readonly onPath?: ((path: string) => void) | undefined;
}

const IMPLIED_MODE = 0o755;
const REPORT_BYTES = 8 * 1024 * 1024;

export class Emission {
  readonly #options: EmissionOptions;
  readonly #sink: EntrySink;
  /** The latest time of any entry: seconds since 1970. */
  latestTime = 0;
  #bytes = 0;
  #contentBytes = 0;
  #reported = 0;

  constructor(sink: EntrySink, options: EmissionOptions) {
    this.#options = options;
    this.#sink = sink;
  }

  /** Takes the root directory's permissions, as a layer has them. Throws as the sink does. */
  root(mode: number): void {
    this.#sink.root(usableMode("directory", mode));
  }

  /** Emits an entry under `path`; {@link content} of `entry.size` bytes must follow a file. */
  entry(entry: TarEntry, path: string, linkPath: string): void {
    this.#header({
      type: entry.type,
      path,
      linkPath,
      mode: usableMode(entry.type, entry.mode),
      mtime: this.#options.allTime ?? entry.mtime,
      size: entry.size,
      deviceMajor: entry.deviceMajor,
      deviceMinor: entry.deviceMinor,
      xattrs: entry.xattrs,
    });
  }

  content(bytes: Uint8Array): void {
    this.#options.ledger?.content(bytes);
    this.#sink.content(bytes);
    this.#count(bytes.length);
  }

  /** Emits one more name for a file that was emitted. */
  link(path: string, linkPath: string): void {
    this.#made("hardlink", path, { linkPath });
  }

  /** Emits a directory that no layer describes. */
  directory(path: string): void {
    this.#made("directory", path, { mode: IMPLIED_MODE });
  }

  /** Emits one of denroot's own files under `path`. */
  ownFile(path: string, file: OwnFile): void {
    this.#made("file", path, { mode: file.mode, size: file.content.length });
    this.content(file.content);
  }

  end(): void {
    this.#options.ledger?.end();
    this.#sink.end();
    this.#options.onBytes(this.#bytes);
  }

  #made(
    type: "file" | "directory" | "hardlink",
    path: string,
    { mode = 0o644, size = 0, linkPath = "" },
  ): void {
    const mtime = this.#options.allTime ?? this.#options.defaultTime;
    this.#header({
      type,
      path,
      linkPath,
      mode,
      mtime,
      size,
      deviceMajor: 0,
      deviceMinor: 0,
    });
  }

  #header(header: EntryHeader): void {
    // Checked before the first byte: the holes of a sparse file count too.
    this.#contentBytes += header.size;
    if (this.#contentBytes > this.#options.maxBytes) throw imageTooLarge(this.#options.maxBytes);
    if (header.mtime > this.latestTime) this.latestTime = header.mtime;
    this.#options.ledger?.entry(header);
    this.#options.onPath?.(header.path);
    this.#sink.entry(header);
    this.#count(BLOCK);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes - this.#reported < REPORT_BYTES) return;
    this.#reported = this.#bytes;
    this.#options.onBytes(this.#bytes);
  }
}

export function imageTooLarge(maxBytes: number): DenrootError {
  return new DenrootError("limit", `The image unpacks to more than ${maxBytes} bytes`, {
    hint: "Set DENROOT_MAX_IMAGE_BYTES higher if you trust the image",
  });
}
