/** The tree of a streaming merge: what each path is, and what lower layers may still add. */

/** Layers are counted from 0, the base. `NONE` is below all layers. */
export const NONE = -1;

export class StreamDirectory {
  readonly path: string;
  readonly children = new Map<string, StreamNode>();
  /** The layer whose entry gave mode and time; `NONE` while no layer had an entry for it. */
  explicit = NONE;
  /** Entries for the directory in layers below this one are ignored. */
  selfHidden = NONE;
  /** Children of the directory in layers below this one are ignored. */
  childrenHidden = NONE;
  mode = 0;
  mtime = 0;
  /** False while only whiteouts used it. */
  exists = false;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Notes that `layer` removed or replaced it: lower layers no longer count for it and its
   * children.
   */
  hideBelow(layer: number): void {
    this.selfHidden = Math.max(this.selfHidden, layer);
    this.childrenHidden = Math.max(this.childrenHidden, layer);
  }
}

interface Symlink {
  readonly layer: number;
  readonly target: string;
}

/** That layer removed the path, and nothing is there now. */
interface Removed {
  readonly removedBy: number;
}

/** A path that is not a directory; a number is a file, device or fifo of that layer. */
export type StreamLeaf = number | Symlink | Removed;
export type StreamNode = StreamLeaf | StreamDirectory;

/** Whether a layer removed the path and nothing is there now. */
export function isRemoved(node: StreamNode | undefined): node is Removed {
  return typeof node === "object" && "removedBy" in node;
}

/** Gives the layer that decided what is there. */
export function layerOf(node: StreamLeaf): number {
  if (typeof node === "number") return node;
  return "removedBy" in node ? node.removedBy : node.layer;
}
