/** A TCP proxy in front of a server: it slows, cuts, stalls or damages the answers. */

import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export interface WireFaults {
  /** The rate of all connections together. */
  bytesPerSecond?: number;
  /** A connection is closed after so many bytes of answers; `times` limits how often. */
  cutAfter?: number;
  /** A connection goes silent after so many bytes of answers; `times` limits how often. */
  stallAfter?: number;
  /** One bit of a connection's answers is turned at this offset; `times` limits how often. */
  flipAt?: number;
  times?: number;
}

export interface WireProxy {
  readonly host: string;
  readonly port: number;
  /** May be changed at any time. */
  readonly faults: WireFaults;
  /** Bytes that the server has sent through the proxy. */
  bytes(): number;
  connections(): number;
  /** The most connections that were open at once. */
  peakConnections(): number;
  stop(): Promise<void>;
}

export async function startWireProxy(
  targetPort: number,
  faults: WireFaults = {},
): Promise<WireProxy> {
  const sockets = new Set<Socket>();
  let bytes = 0;
  let connections = 0;
  let open = 0;
  let peak = 0;
  const pace = makePace(() => faults.bytesPerSecond);
  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    connections++;
    peak = Math.max(peak, ++open);
    client.once("close", () => open--);
    let sent = 0;
    let struck = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    }
    client.pipe(upstream);
    client.once("close", () => upstream.destroy());
    upstream.once("close", () => client.end());
    upstream.on("data", (chunk: Buffer) => {
      const limit = faults.cutAfter ?? faults.stallAfter;
      const armed = !struck && (faults.times ?? Infinity) > 0;
      if (armed && faults.flipAt !== undefined && sent + chunk.length > faults.flipAt) {
        const at = faults.flipAt - sent;
        if (at >= 0) chunk[at] = chunk[at]! ^ 1;
        strike();
      }
      if (armed && limit !== undefined && sent + chunk.length > limit) {
        chunk = chunk.subarray(0, Math.max(0, limit - sent));
        strike();
        upstream.pause();
        if (faults.cutAfter !== undefined) client.end(chunk, () => upstream.destroy());
        else client.write(chunk);
        bytes += chunk.length;
        return;
      }
      sent += chunk.length;
      bytes += chunk.length;
      const fits = client.write(chunk);
      const waitMs = pace(chunk.length);
      if (waitMs > 0 || !fits) {
        upstream.pause();
        const later = new Promise((resolve) => setTimeout(resolve, waitMs));
        const drained = fits || client.destroyed
          ? undefined
          : new Promise<void>((resolve) => client.once("drain", resolve).once("close", resolve));
        Promise.all([later, drained]).then(() => upstream.resume());
      }
    });

    function strike(): void {
      struck = true;
      if (faults.times !== undefined) faults.times--;
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    port,
    faults,
    bytes: () => bytes,
    connections: () => connections,
    peakConnections: () => peak,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** How long to wait after so many bytes for the total to keep to the rate. */
function makePace(rate: () => number | undefined): (bytes: number) => number {
  let free = 0;
  return (bytes) => {
    const bytesPerSecond = rate();
    if (bytesPerSecond === undefined) return 0;
    const now = performance.now();
    // The proxy catches up after a late timer.
    free = Math.max(free, now - 30) + (bytes / bytesPerSecond) * 1000;
    // Below a few milliseconds a timer would sleep for too long.
    return free - now < 4 ? 0 : free - now;
  };
}
