/**
 * A file that appears under its name whole, or not at all: it is written under a temporary name in
 * the same file system, reaches the disk unless that is not wanted, and only then gets its name.
 */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { DenrootError, systemCode } from "../../errors.ts";
import { keepFresh, removeStale } from "./leftovers.ts";
import { processMark } from "./process_mark.ts";

const TEMPORARY = /^\.denroot-(.+)\.tmp$/;

interface PublishOptions {
  readonly replace: boolean;
  /**
   * False leaves it to the kernel when the bytes reach the disk: after a power failure the file may
   * be torn, so its readers must check it. True unless told.
   */
  readonly durable?: boolean;
}

export class AtomicFile {
  /** Where the file is until it gets its name. Another program may write it there. */
  readonly temporary: string;
  readonly #mode: number;
  #descriptor: number | undefined;
  #state: "unnamed" | "named" | "closed" = "unnamed";
  /** No more is written: it gets its name. */
  #isSealed = false;
  /** Ends what keeps the file from looking like a leftover. */
  readonly #letAge: () => void;

  /**
   * Creates no file yet: {@link create} and {@link write} do. `mode` has the exact permission bits;
   * the umask does not change them.
   */
  constructor(temporary: string, { mode = 0o600 }: { readonly mode?: number } = {}) {
    this.temporary = temporary;
    this.#mode = mode;
    this.#letAge = keepFresh(temporary);
  }

  /** Creates the file, unless this object did so before. Throws when another made one there. */
  create(): void {
    this.#open();
  }

  /** Writes all of `bytes`. Throws the system's errors, and code `aborted` after {@link close}. */
  write(bytes: Uint8Array, position: number): void {
    const descriptor = this.#open();
    for (let at = 0; at < bytes.length;) {
      at += fs.writeSync(descriptor, bytes, at, bytes.length - at, position + at);
    }
  }

  /** Reads back what was written. Returns the count of bytes; 0 at the end. */
  read(buffer: Uint8Array, position: number): number {
    return fs.readSync(this.#open(), buffer, 0, buffer.length, position);
  }

  /** Cuts off what was written behind `size` bytes. */
  truncate(size: number): void {
    fs.ftruncateSync(this.#open(), size);
  }

  /** How many bytes the file has, those that were never written between others included. */
  get size(): number {
    return fs.fstatSync(this.#open()).size;
  }

  /**
   * Takes a file that another process left under the name `from`, to go on with it. Returns false
   * when it is gone, or when anybody but this user may have changed it, and may still.
   */
  takeOver(from: string): boolean {
    if (!isOwn(fs.lstatSync(from, { throwIfNoEntry: false }))) return false;
    try {
      fs.renameSync(from, this.temporary);
      const flags = fs.constants.O_RDWR | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;
      this.#descriptor = fs.openSync(this.temporary, flags);
    } catch {
      fs.rmSync(this.temporary, { force: true });
      return false;
    }
    // The name may have changed hands between the look and the renaming.
    if (isOwn(fs.fstatSync(this.#descriptor))) return true;
    fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
    fs.rmSync(this.temporary, { force: true });
    return false;
  }

  /** Closes the unfinished file and leaves it under the name `name`, for a later process. */
  leaveAs(name: string): void {
    fs.renameSync(this.temporary, name);
    this.#state = "named";
    this.close();
  }

  /** Starts to write to the disk what the file holds so far, so that little is left at the end. */
  flush(): void {
    fs.open(this.temporary, "r", (error, descriptor) => {
      if (error === null) fs.fdatasync(descriptor, () => fs.close(descriptor));
    });
  }

  /** Writes to the disk what the file holds, and waits for it: then {@link publish} takes no time. */
  async settle(): Promise<void> {
    await sync(this.#open());
  }

  /**
   * Writes the file to the disk and gives it the name `target`. Without `replace` it never takes the
   * place of another file: the result is then false, and the file keeps its temporary name.
   *
   * Throws the system's errors. {@link close} must not be called before the promise is settled.
   */
  async publish(target: string, { replace, durable = true }: PublishOptions): Promise<boolean> {
    this.#descriptor ??= fs.openSync(this.temporary, "r");
    this.#isSealed = true;
    if (durable) await sync(this.#descriptor);
    await this.#closeWritten();
    if (replace) fs.renameSync(this.temporary, target);
    else if (!giveNewName(this.temporary, target)) return false;
    this.#state = "named";
    this.close();
    return true;
  }

  /** Closes the file, and removes it unless it was published. May be called twice. */
  close(): void {
    this.#letAge();
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
    if (this.#state === "unnamed") removeFile(this.temporary);
    this.#state = "closed";
  }

  /**
   * A network file system sends what was written when the file is closed: that takes time, must
   * come before other hosts see the name, and may fail.
   */
  async #closeWritten(): Promise<void> {
    const descriptor = this.#descriptor!;
    this.#descriptor = undefined;
    await close(descriptor);
  }

  #open(): number {
    // A writer that ends late must not create again what was removed.
    if (this.#isSealed || this.#state !== "unnamed") {
      throw new DenrootError("aborted", "The file was closed");
    }
    return this.#descriptor ??= this.#create();
  }

  #create(): number {
    let descriptor: number;
    try {
      descriptor = fs.openSync(this.temporary, "wx+", this.#mode);
    } catch (error) {
      // A file that is there is another's: it must not be removed.
      this.#state = "closed";
      this.#letAge();
      throw error;
    }
    fs.fchmodSync(descriptor, this.#mode);
    return descriptor;
  }
}

/**
 * Replaces `file`, or creates it, in one step: a reader sees the old bytes or the new ones. It also
 * removes what killed writers left in the directory. Throws the system's errors.
 */
export async function writeFileAtomically(
  file: string,
  bytes: Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const directory = path.dirname(file);
  removeStale(directory, (name) => TEMPORARY.exec(name)?.[1]);
  const written = new AtomicFile(path.join(directory, `.denroot-${processMark()}.tmp`), options);
  try {
    written.write(bytes, 0);
    await written.publish(file, { replace: true });
  } finally {
    written.close();
  }
}

/** Bun's rmSync says EFAULT where the system says EPERM. */
function removeFile(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** A link never replaces a file. A file system without links gets a rename. */
function giveNewName(temporary: string, target: string): boolean {
  try {
    fs.linkSync(temporary, target);
  } catch (error) {
    if (!fs.existsSync(target)) {
      if (systemCode(error) === "EEXIST") return false;
      fs.renameSync(temporary, target);
      return true;
    }
    // NFS may lose the answer to a link that was made, and then reports that the name exists.
    if (!isSameFile(temporary, target)) return false;
  }
  fs.rmSync(temporary, { force: true });
  return true;
}

/** Whether it is a file of this user that no other user may write to, under one name. */
function isOwn(status: fs.Stats | undefined): boolean {
  return status !== undefined && status.isFile() && status.nlink === 1 &&
    status.uid === process.geteuid!() && (status.mode & 0o022) === 0;
}

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [fs.lstatSync(one), fs.lstatSync(other)];
  return first.ino === second.ino && first.dev === second.dev;
}

function sync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) =>
    fs.fsync(descriptor, (error) => error ? reject(error) : resolve())
  );
}

function close(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) =>
    fs.close(descriptor, (error) => error ? reject(error) : resolve())
  );
}
