/** Says which program is waited for: it may wait for a person, or for ever. */

export interface Patience {
  /** How long a program may run before the message. */
  readonly patienceMs: number;
  readonly warn: (message: string) => void;
}

/** Waits for `work`, and warns once that `what` has not answered. */
export async function tellIfSlow<T>(
  what: string,
  work: Promise<T>,
  { patienceMs, warn }: Patience,
): Promise<T> {
  const message = `${what} has not answered for ${patienceMs / 1000} seconds; still waiting`;
  const timer = setTimeout(() => warn(message), patienceMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
