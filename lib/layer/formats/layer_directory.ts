/** Opens files of an unpacked layer by their paths. No path leads out of the layer. */

import { Buffer } from "node:buffer";
import { DenrootError } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import {
  EACCES,
  ELOOP,
  ENOENT,
  ENOTDIR,
  EPERM,
  FILE_TYPE,
  type NativeFiles,
  REGULAR,
} from "../../system/files/native_files.ts";

/** The kernel follows as many symlinks. */
const MAX_LINKS = 40;

interface OpenDirectory {
  readonly name: string;
  readonly descriptor: number;
}

export class LayerDirectory {
  readonly #native: NativeFiles;
  readonly #root: number;
  /** The directories that lead to the last file: the next file often lies beside it. */
  readonly #way: OpenDirectory[] = [];

  /** Throws code `not_found` or `file` when `root` cannot be opened. */
  constructor(native: NativeFiles, root: string) {
    this.#native = native;
    this.#root = native.openRoot(root);
    if (this.#root < 0) throw fileError("The layer's directory", root, this.#root);
  }

  /**
   * Opens a regular file of `size` bytes by its path, a `latin1` string. Symlinks on the way are
   * followed as if the layer were the root. Throws code `layer` when there is another kind of file,
   * or one of another size.
   */
  open(path: string, size: number): number {
    const name = this.#enter(path);
    const directory = this.#last();
    const status = this.#native.status(directory, name);
    if (typeof status === "number") throw unreadable(path, status);
    if ((status.mode & FILE_TYPE) !== REGULAR) {
      throw new DenrootError("layer", `${layerFile(path)} is not a regular file in the storage`);
    }
    if (status.size !== size) {
      throw new DenrootError(
        "layer",
        `${layerFile(path)} has ${status.size} bytes in the storage instead of ${size}`,
      );
    }
    const descriptor = this.#native.openFile(directory, name);
    if (descriptor < 0) throw unreadable(path, descriptor);
    return descriptor;
  }

  close(): void {
    this.#leave(0);
    this.#native.close(this.#root);
  }

  /** Opens the directories that lead to `path`; gives the name that is left. */
  #enter(path: string): string {
    const parts = split(path);
    const name = parts.pop();
    if (name === undefined || name === "..") throw unreadable(path, ENOENT);
    parts.reverse();
    let depth = 0;
    let links = 0;
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (part === "..") {
        depth = Math.max(0, depth - 1);
        continue;
      }
      if (this.#way[depth]?.name === part) {
        depth++;
        continue;
      }
      this.#leave(depth);
      const descriptor = this.#native.openDirectory(this.#last(), part);
      if (descriptor >= 0) {
        this.#way.push({ name: part, descriptor });
        depth++;
        continue;
      }
      const target = this.#native.readLink(this.#last(), part);
      if (typeof target === "number") throw unreadable(path, descriptor);
      if (++links > MAX_LINKS) throw unreadable(path, ELOOP);
      if (target.startsWith("/")) depth = 0;
      parts.push(...split(target).reverse());
    }
    this.#leave(depth);
    return name;
  }

  #last(): number {
    return this.#way.at(-1)?.descriptor ?? this.#root;
  }

  /** Closes the directories below `depth`. */
  #leave(depth: number): void {
    while (this.#way.length > depth) this.#native.close(this.#way.pop()!.descriptor);
  }
}

/** Gives the error for a file that cannot be read; `error` is what {@link NativeFiles} gives. */
export function unreadable(path: string, error: number): DenrootError {
  return fileError("The layer's file", Buffer.from(path, "latin1").toString(), error);
}

function fileError(what: string, path: string, error: number): DenrootError {
  const name = `${what} ${quotePath(path)}`;
  switch (error) {
    case EACCES:
    case EPERM:
      return new DenrootError("file", `${name} must not be read by this user`, {
        hint: "Files of a rootless storage may belong to other users of its user namespace: " +
          "run `podman unshare denroot import ...`; only its owner can read another user's storage",
      });
    case ENOENT:
    case ENOTDIR:
      return new DenrootError("not_found", `${name} is not there`, {
        hint: "The storage is damaged, or the image was removed meanwhile: pull it again",
      });
    default:
      return new DenrootError("file", `${name} cannot be read (error ${-error})`);
  }
}

function split(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function layerFile(path: string): string {
  return `The layer's file ${quotePath(Buffer.from(path, "latin1").toString())}`;
}
