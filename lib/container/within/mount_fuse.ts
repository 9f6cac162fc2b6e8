/** File systems in user space, whose servers end with the container. */

import fs from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import {
  closeDescriptor,
  memoryDescriptor,
  openDescriptor,
  openPipe,
  writeDescriptor,
} from "../../system/linux/descriptors.ts";
import { mount, MS } from "../../system/linux/mounts.ts";
import { CLONE } from "../../system/linux/namespaces.ts";
import { spawnProgram } from "../../system/linux/spawn_program.ts";
import { enterProgram } from "../../tools/enter_program.ts";
import { putProgram } from "../enter/put_program.ts";
import { FUSE_HINT } from "./fuse_hint.ts";

export interface FuseServer {
  /** The type of the mount is `fuse.NAME`. */
  readonly name: string;
  readonly program: () => Uint8Array;
  /** The program finds the open /dev/fuse as descriptor 3. */
  readonly argv: readonly string[];
  readonly directory: string;
  /** A directory that is the container's own. */
  readonly runtimePath: string;
  /** The user and the group that mount, as they are called inside the namespace. */
  readonly uid: number;
  readonly gid: number;
  /** Flags of mount(2); files of devices and setuid programs never count. */
  readonly flags: number;
  /** Makes the error, given what the server said. */
  readonly failed: (said: string, cause: unknown) => Error;
}

const O_RDONLY = 0;
const O_RDWR = 2;
const OWN_MOUNTS = `unshare=${CLONE.mount.toString(16)}`;

/**
 * Mounts what the server serves. The server runs in a mount namespace of its own that was made
 * before the mount, so that it does not hold what it serves: when the container's last process has
 * gone, the kernel cuts the connection and the server ends. No process watches over that.
 */
export function mountFuse(server: FuseServer): void {
  const device = openFuse();
  const messages = memoryDescriptor("denroot-messages", new Uint8Array());
  const go = openPipe();
  const program = openDescriptor(
    putProgram(server.runtimePath, server.name, server.program),
    O_RDONLY,
  );
  try {
    startServer(server, [go.readEnd, messages, messages, device, program]);
    // Its copies are the server's alone from now on.
    closeDescriptor(go.readEnd);
    const options = `fd=${device},rootmode=40000,user_id=${server.uid},group_id=${server.gid}`;
    const flags = server.flags | MS.NOSUID | MS.NODEV;
    mount(server.name, server.directory, `fuse.${server.name}`, flags, `${options},allow_other`);
    closeDescriptor(device);
    writeDescriptor(go.writeEnd, Uint8Array.of(0));
    fs.readdirSync(server.directory);
  } catch (cause) {
    throw server.failed(fs.readFileSync(`/proc/self/fd/${messages}`, "utf8").trim(), cause);
  } finally {
    for (const descriptor of [messages, go.writeEnd, program]) closeDescriptor(descriptor);
  }
}

/** Returns when the server waits in its namespace. */
function startServer(server: FuseServer, descriptors: readonly number[]): void {
  const steps = [OWN_MOUNTS, "session", "detach", "wait=0", "run=4"];
  const status = spawnProgram(
    putProgram(server.runtimePath, "enter", enterProgram),
    ["denroot", ...steps, ...server.argv],
    descriptors,
  );
  if (status !== 0) throw new Error(`it ended with ${status}`);
}

function openFuse(): number {
  try {
    return openDescriptor("/dev/fuse", O_RDWR);
  } catch (cause) {
    const message = `An image can be started here only with FUSE: ${messageOf(cause)}`;
    throw new DenrootError("unsupported", message, { cause, hint: FUSE_HINT });
  }
}
