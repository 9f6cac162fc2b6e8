/** The tree that a streaming merge keeps: what is where, and what lower layers may still add. */

/** A layer counts from 0, the base. `NONE` is below all. */
export const NONE = -1;

export class StreamDirectory {
  readonly path: string;
  readonly children = new Map<string, StreamNode>();
  /** The layer whose entry gave mode and time; `NONE` while only children have spoken. */
  explicit = NONE;
  /** Layers below this one say nothing of the directory itself. */
  selfHidden = NONE;
  /** Layers below this one have no children here. */
  childrenHidden = NONE;
  mode = 0;
  mtime = 0;
  /** False while only whiteouts have spoken of it. */
  exists = false;

  constructor(path: string) {
    this.path = path;
  }

  /** The layer removed or replaced it: lower ones say nothing of it, nor of what is in it. */
  hideBelow(layer: number): void {
    this.selfHidden = Math.max(this.selfHidden, layer);
    this.childrenHidden = Math.max(this.childrenHidden, layer);
  }
}

interface Symlink {
  readonly layer: number;
  readonly target: string;
}

/** The path was removed by that layer and nothing is there. */
interface Removed {
  readonly removedBy: number;
}

/** A number is a file, device or fifo of that layer. */
export type StreamLeaf = number | Symlink | Removed;
export type StreamNode = StreamLeaf | StreamDirectory;

/** Whether the path was removed by a layer and nothing is there. */
export function isRemoved(node: StreamNode | undefined): node is Removed {
  return typeof node === "object" && "removedBy" in node;
}

/** The layer that decided what is there. */
export function layerOf(node: StreamLeaf): number {
  if (typeof node === "number") return node;
  return "removedBy" in node ? node.removedBy : node.layer;
}
