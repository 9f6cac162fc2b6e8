/** What the rates of the stages become on machines with more processors. */

/** Seconds of processor time for each byte of the tar stream. */
export interface Costs {
  readonly read: number;
  readonly gunzip: number;
  readonly unzstd: number;
  readonly digest: number;
  readonly emit: number;
  readonly socket: number;
  /** All threads of mksquashfs together. */
  readonly mksquashfs: number;
  /** Its wall time where nothing else runs: no more processors make its reading thread faster. */
  readonly mksquashfsAlone: number;
}

interface Stage {
  readonly title: string;
  readonly cost: number;
  /** How many threads do it on so many processors. */
  readonly threads: (processors: number) => number;
}

const machines = [2, 16, 64];
/** As lib/pack/layer_opener.ts has it: layers that are read at a time. */
const readers = (processors: number) => Math.min(8, processors);
const one = () => 1;

export function printModel(costs: Costs): void {
  const head = ["one thread, MB/s", ...machines.map((count) => `${count} processors`)];
  console.log("stage".padEnd(44) + head.map((text) => text.padStart(17)).join(""));
  const stages: Stage[] = [
    { title: "read from the page cache", cost: costs.read, threads: readers },
    { title: "gunzip", cost: costs.gunzip, threads: readers },
    { title: "Zstandard", cost: costs.unzstd, threads: readers },
    { title: "SHA-256", cost: costs.digest, threads: readers },
    { title: "layer worker, plain", cost: costs.read + costs.digest, threads: readers },
    { title: "layer worker, gzip", cost: costs.gunzip + costs.digest, threads: readers },
    {
      title: "layer worker, gzip, one large layer",
      cost: costs.gunzip + costs.digest,
      threads: one,
    },
    { title: "layer worker, Zstandard", cost: costs.unzstd + costs.digest, threads: readers },
    { title: "tar: parse, merge, emit", cost: costs.emit, threads: one },
    { title: "socket to mksquashfs", cost: costs.socket, threads: one },
    { title: "pack worker (both)", cost: costs.emit + costs.socket, threads: one },
    { title: "mksquashfs alone", cost: costs.mksquashfsAlone, threads: one },
  ];
  for (const { title, cost, threads } of stages) {
    row(title, cost, machines.map((count) => threads(count) / cost));
  }
  const pack = costs.emit + costs.socket;
  const { read, gunzip, unzstd, digest, mksquashfs, mksquashfsAlone } = costs;
  for (
    const [form, decode] of [["plain", read], ["gzip", gunzip], ["Zstandard", unzstd]] as const
  ) {
    const layer = decode + digest;
    const all = layer + pack + mksquashfs;
    const rates = machines.map((count) =>
      Math.min(count / all, readers(count) / layer, 1 / pack, 1 / mksquashfsAlone)
    );
    row(`import, ${form} (at most)`, all, rates);
  }
}

function row(title: string, cost: number, rates: readonly number[]): void {
  const cells = [1 / cost, ...rates].map((rate) => (rate / 1e6).toFixed(0).padStart(17));
  console.log(title.padEnd(44) + cells.join(""));
}
