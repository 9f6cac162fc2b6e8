/** A relay between a client and an engine's Unix socket, which can break what passes. */

import net from "node:net";

export interface SocketRelay {
  /** `tcp://127.0.0.1:PORT`. */
  readonly url: string;
  /** Connections that are open now. */
  connections(): number;
  close(): void;
}

interface RelayOptions {
  /** From this many bytes of one answer on, `fault` happens. */
  readonly after?: number;
  /** `cut` ends the connection, `stall` sends nothing more. */
  readonly fault?: "cut" | "stall";
  /** Called when the fault happens. */
  readonly onFault?: () => void;
}

/** Relays a port of the loopback interface to the socket. */
export async function startSocketRelay(
  socket: string,
  { after = Infinity, fault, onFault }: RelayOptions = {},
): Promise<SocketRelay> {
  const open = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const engine = net.connect(socket);
    for (const side of [client, engine]) {
      side.on("error", () => {});
      side.on("close", () => {
        client.destroy();
        engine.destroy();
        open.delete(client);
      });
    }
    open.add(client);
    client.pipe(engine);
    let passed = 0;
    engine.on("data", (chunk) => {
      passed += chunk.length;
      if (passed < after) {
        if (!client.write(chunk)) engine.pause();
        return;
      }
      onFault?.();
      if (fault === "cut") client.destroy();
      else engine.pause();
    });
    client.on("drain", () => engine.resume());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `tcp://127.0.0.1:${port}`,
    connections: () => open.size,
    close: () => {
      server.close();
      for (const client of open) client.destroy();
    },
  };
}
