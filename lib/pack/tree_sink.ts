/** Entries as files of a directory: what unsquashfs would make of an image with these entries. */

import { baseName, parentOf } from "../merge/clean_path.ts";
import {
  BLOCK_DEVICE,
  CHARACTER,
  EPERM,
  FIFO,
  type NativeFiles,
  nativeFiles,
} from "../system/files/native_files.ts";
import { type NativeChanges, nativeChanges } from "../system/files/native_changes.ts";
import { accountId } from "../system/host/environment.ts";
import { fileMask } from "../system/host/file_mask.ts";
import { squashfsTime } from "../tar/squashfs_time.ts";
import type { EntryHeader } from "../tar/tar_writer.ts";
import type { EntrySink } from "./entry_sink.ts";
import { NewFile, setUserXattrs } from "./new_file.ts";
import { OpenDirectories } from "./open_directories.ts";
import type { EntryOutput } from "./pack_messages.ts";
import { systemFailure } from "./system_failure.ts";

/** Set-user-id and set-group-id have no effect in a container. enroot drops them too. */
const KEPT_MODE = 0o1777;
const DEFAULT_ROOT_MODE = 0o755;
const WORKING_MODE = 0o700;

type DirectoryHeader = Pick<EntryHeader, "mode" | "mtime" | "xattrs">;

/** Makes the directory at once. `onNote` is told of what the tree lacks. Throws code `file`. */
export async function treeSink(
  { path, time }: EntryOutput & { readonly type: "tree" },
  onNote: (message: string) => void,
): Promise<EntrySink> {
  return new TreeSink(await nativeFiles(), await nativeChanges(), { path, time, onNote });
}

interface TreeOptions {
  readonly path: string;
  readonly time: number;
  readonly onNote: (message: string) => void;
}

class TreeSink implements EntrySink {
  readonly #files: NativeFiles;
  readonly #changes: NativeChanges;
  readonly #onNote: (message: string) => void;
  readonly #root: number;
  readonly #way: OpenDirectories;
  /** The way to the file that a hard link leads to. */
  readonly #linkWay: OpenDirectories;
  /** Set at the end: what is made in a directory changes its time. */
  readonly #directories = new Map<string, DirectoryHeader>();
  readonly #mask = fileMask();
  #file: NewFile | undefined;
  #devicesLeftOut = 0;

  constructor(files: NativeFiles, changes: NativeChanges, { path, time, onNote }: TreeOptions) {
    this.#files = files;
    this.#changes = changes;
    this.#onNote = onNote;
    this.#root = makeRoot(files, changes, path);
    this.#way = new OpenDirectories(files, changes, this.#root);
    this.#linkWay = new OpenDirectories(files, changes, this.#root);
    this.#directories.set("", { mode: DEFAULT_ROOT_MODE, mtime: time });
  }

  root(mode: number): void {
    this.#directories.set("", { ...this.#directories.get("")!, mode });
  }

  entry(header: EntryHeader): void {
    this.#endFile();
    const { type, path } = header;
    if (type === "directory") {
      this.#way.enter(path);
      this.#directories.set(path, header);
      return;
    }
    const directory = this.#way.enter(parentOf(path));
    const name = baseName(path);
    if (type === "file") this.#file = this.#newFile(directory, name, header);
    else if (type === "hardlink") this.#link(directory, name, header);
    else if (type === "symlink") this.#symlink(directory, name, header);
    else this.#node(directory, name, header);
  }

  content(bytes: Uint8Array): void {
    this.#file!.write(bytes);
  }

  end(): void {
    this.#endFile();
    for (const [path, header] of [...this.#directories].sort(([a], [b]) => a < b ? -1 : 1)) {
      this.#finish(this.#way.enter(path), header);
    }
    this.#way.close();
    this.#linkWay.close();
    this.#files.close(this.#root);
    if (this.#devicesLeftOut > 0) {
      const count = this.#devicesLeftOut;
      const noun = count === 1 ? "device is" : "devices are";
      this.#onNote(`${count} ${noun} left out: only root can make devices`);
    }
  }

  #newFile(directory: number, name: string, header: EntryHeader): NewFile {
    const mode = header.mode & KEPT_MODE;
    return new NewFile({ files: this.#files, changes: this.#changes }, directory, name, {
      path: header.path,
      mode,
      needsMode: (mode & this.#mask) !== 0 || mode !== (mode & 0o777),
      mtime: squashfsTime(header.mtime),
      size: header.size,
      xattrs: header.xattrs,
    });
  }

  #endFile(): void {
    this.#file?.end();
    this.#file = undefined;
  }

  #link(directory: number, name: string, { path, linkPath }: EntryHeader): void {
    const from = this.#linkWay.enter(parentOf(linkPath));
    this.#check(path, this.#changes.makeHardLink(from, baseName(linkPath), directory, name));
  }

  #symlink(directory: number, name: string, { path, linkPath, mtime }: EntryHeader): void {
    this.#check(path, this.#changes.makeLink(directory, name, linkPath));
    this.#check(path, this.#changes.setTimeOf(directory, name, squashfsTime(mtime)));
  }

  #node(directory: number, name: string, header: EntryHeader): void {
    const { type, path, mtime, deviceMajor, deviceMinor } = header;
    const kind = type === "fifo" ? FIFO : type === "block" ? BLOCK_DEVICE : CHARACTER;
    const mode = header.mode & KEPT_MODE;
    const result = this.#changes.makeNode(directory, name, kind | mode, deviceMajor, deviceMinor);
    if (result === EPERM && type !== "fifo") {
      this.#devicesLeftOut++;
      return;
    }
    this.#check(path, result);
    this.#check(path, this.#changes.setModeOf(directory, name, mode));
    this.#check(path, this.#changes.setTimeOf(directory, name, squashfsTime(mtime)));
  }

  #finish(directory: number, { mode, mtime, xattrs }: DirectoryHeader): void {
    setUserXattrs(this.#changes, directory, xattrs);
    this.#changes.setMode(directory, mode & KEPT_MODE);
    this.#changes.setTime(directory, squashfsTime(mtime));
  }

  #check(path: string, result: number): void {
    if (result < 0) throw systemFailure(path, result);
  }
}

/** The root's group must not be inherited from a directory that hands its own on. */
function makeRoot(files: NativeFiles, changes: NativeChanges, path: string): number {
  const parent = files.openRoot(parentOf(path));
  const name = baseName(path);
  const made = changes.makeDirectory(parent, name, WORKING_MODE);
  const root = made < 0 ? made : files.openDirectory(parent, name);
  files.close(parent);
  if (root < 0) throw systemFailure("", root);
  if (accountId() === 0) changes.setOwner(root, 0, 0);
  changes.setMode(root, WORKING_MODE);
  return root;
}
