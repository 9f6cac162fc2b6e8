/** How much memory is left for decompressing ahead. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { aheadBytes } from "../../lib/image/ahead_bytes.ts";
import type { SystemFiles } from "../../lib/system/host/system_files.ts";

const gibibyte = 2 ** 30;

function machine(files: Readonly<Record<string, string>>): SystemFiles {
  return { read: (path: string) => files[path] } as unknown as SystemFiles;
}

test("it is what the setting says, and a quarter of what is available at most", () => {
  const settings = { maxAheadBytes: 2 * gibibyte };
  const available = (kilobytes: number) => ({ "/proc/meminfo": `MemAvailable: ${kilobytes} kB\n` });
  const limits = { "/proc/self/limits": "Max address space  1073741824  unlimited  bytes\n" };
  for (
    const [files, expected] of [
      [{}, 2 * gibibyte],
      [available(64 * 2 ** 20), 2 * gibibyte],
      [available(2 ** 20), gibibyte / 4],
      [{ ...available(64 * 2 ** 20), ...limits }, gibibyte / 4],
    ] as const
  ) {
    assert.equal(aheadBytes(settings, machine(files)), expected);
  }
});
