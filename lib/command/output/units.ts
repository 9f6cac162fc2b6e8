/** Sizes, times and rates as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `0 B`, `999 B`, `1.0 KiB`, `551 MiB`, `1.2 GiB`: at most three digits before a unit. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (unit < UNITS.length - 1 && Math.round(value) >= (unit === 0 ? 1024 : 1000)) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `4.2 s`, `1 min 05 s`, `2 h 03 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${pad(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** `Wrote /images/torch.sqsh (1.2 GiB) in 42.0 s`. */
export function writtenText(
  { output, bytes, seconds }: {
    readonly output: string;
    readonly bytes: number;
    readonly seconds: number;
  },
): string {
  return `Wrote ${output} (${formatBytes(bytes)}) in ${formatSeconds(seconds)}`;
}

/** The time left in the form of a clock: `0:07`, `12:34`, `1:02:03`. */
export function formatClock(seconds: number): string {
  // A little more than a second still counts as that second.
  const whole = Math.max(0, Math.ceil(seconds - 0.05));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = pad(whole % 60);
  return hours > 0 ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
