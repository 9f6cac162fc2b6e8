/** Signals that the parent of this process left blocked, as Slurm does for what its plugins start. */

import { loadLibc } from "../libc.ts";

const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SET_BYTES = 128;

/** Lets these signals, by their numbers, reach this process and the programs that it starts. */
export async function unblockSignals(numbers: readonly number[]): Promise<void> {
  await changeMask(SIG_UNBLOCK, numbers);
}

/** Blocks them in this thread, and so in the program that it becomes. */
export async function blockSignals(numbers: readonly number[]): Promise<void> {
  await changeMask(SIG_BLOCK, numbers);
}

async function changeMask(how: number, numbers: readonly number[]): Promise<void> {
  const { pthread_sigmask } = await loadLibc({
    pthread_sigmask: { args: ["i32", "buffer", "usize"], result: "i32" },
  });
  const set = new Uint8Array(SET_BYTES);
  for (const number of numbers) set[(number - 1) >> 3]! |= 1 << ((number - 1) & 7);
  pthread_sigmask(how, set, 0);
}
