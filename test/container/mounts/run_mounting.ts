/** Runs the program that mounts lines, in a mount namespace, with or without a user namespace. */

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { asNobody } from "../../helpers/other_user.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

export interface MountingJob {
  readonly root: string;
  /** Blanks in the directory of the places are escaped. */
  readonly lines: readonly string[];
  /** Paths in the root, whose texts are wanted. */
  readonly read: readonly string[];
}

export interface MountingResult {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** In the order of the paths; null where no file is. */
  readonly texts: readonly (string | null)[];
  readonly mounts: readonly {
    readonly target: string;
    readonly options: readonly string[];
    /** `shared`, `master`, … */
    readonly propagation: readonly string[];
    readonly type: string;
  }[];
}

const program = fileURLToPath(new URL("./mounting_program.ts", import.meta.url));
const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];

/** How a container is entered: as the superuser, as the superuser in a namespace, as another user. */
export const ENTRIES = {
  superuser: ["unshare", "--mount"],
  "root in a user namespace": ["unshare", "--user", "--map-root-user", "--mount"],
  "an ordinary user": [...asNobody, "unshare", "--user", "--map-root-user", "--mount"],
} as const;

export type Entry = keyof typeof ENTRIES;

const scratch = scratchDirectory("mounts");
chmodSync(scratch, 0o755);
let count = 0;

/** A root with `/etc`, beside a directory of the host; any user may write into both. */
export function newPlace(): { readonly root: string; readonly host: string } {
  const base = join(scratch, String(count++));
  const place = { root: join(base, "root"), host: join(base, "host") };
  for (const path of [base, place.root, join(place.root, "etc"), place.host]) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
  }
  return place;
}

/** `prepare` is a shell script that runs inside the namespaces first. */
export async function runMounting(
  entry: Entry,
  job: MountingJob,
  prepare = "",
): Promise<MountingResult> {
  const [command, ...args] = ENTRIES[entry] as readonly string[];
  const lines = job.lines.map((line) => line.replaceAll(scratch, scratch.replaceAll(" ", "\\040")));
  const { stdout } = await runProgram(command!, [
    ...args,
    "sh",
    "-ec",
    `${prepare}\nexec "$@"`,
    "sh",
    process.execPath,
    ...runtime,
    program,
    JSON.stringify({ ...job, lines }),
  ]);
  return JSON.parse(stdout);
}
