/** What went into an image: a fingerprint of every path, to compare the finished image with. */

import { createHash, type Hash } from "node:crypto";
import type { EntryHeader } from "../tar/tar_writer.ts";

export class ImageLedger {
  /** Fingerprints by path. A hard link has the fingerprint of the file that it links to. */
  readonly fingerprints = new Map<string, string>();
  #open: { readonly header: EntryHeader; readonly hash: Hash } | undefined;

  entry(header: EntryHeader): void {
    this.#close();
    if (header.type === "file") {
      this.#open = { header, hash: createHash("sha256") };
    } else if (header.type === "hardlink") {
      this.fingerprints.set(header.path, this.fingerprints.get(header.linkPath)!);
    } else {
      this.fingerprints.set(header.path, fingerprint(header));
    }
  }

  content(bytes: Uint8Array): void {
    this.#open?.hash.update(bytes);
  }

  end(): void {
    this.#close();
  }

  #close(): void {
    if (this.#open === undefined) return;
    const { header, hash } = this.#open;
    this.#open = undefined;
    this.fingerprints.set(header.path, fingerprint(header, hash.digest("base64")));
  }
}

/** Covers type, permissions, device, target and content; options may set owner and times. */
export function fingerprint(
  header: Pick<EntryHeader, "type" | "mode" | "deviceMajor" | "deviceMinor" | "linkPath">,
  contentDigest = "",
): string {
  const { type, deviceMajor, deviceMinor, linkPath } = header;
  switch (type) {
    case "symlink":
      return `symlink ${linkPath}`;
    case "character":
    case "block":
      return `${type} ${octal(header.mode)} ${deviceMajor}:${deviceMinor}`;
    default:
      return `${type} ${octal(header.mode)} ${contentDigest}`;
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}
