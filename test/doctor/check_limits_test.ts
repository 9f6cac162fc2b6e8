/** Findings about the limits of the process. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLimits } from "../../lib/doctor/check_limits.ts";
import { fakeMachine, troubles } from "./machine_fixture.ts";

const LIMITS = "/proc/self/limits";

const TABLE:
  readonly (readonly [files: Readonly<Record<string, string>>, found: readonly string[]])[] = [
    [{}, []],
    [{ [LIMITS]: "Max address space  unlimited  unlimited  bytes" }, []],
    [{ [LIMITS]: "Max address space  2048000000  unlimited  bytes" }, []],
    [{ [LIMITS]: "Max address space  512000000  unlimited  bytes" }, [
      "error Address space: 512 MB (ulimit -v 500000) is low",
    ]],
    [{ [LIMITS]: "Max data size  512000000  unlimited  bytes" }, [
      "error Data: 512 MB (ulimit -d 500000) is low",
    ]],
    [{ [LIMITS]: "Max open files  64  64  files\nMax stack size  65536  65536  bytes" }, [
      "warning Open files: 64 (ulimit -n 64) is low",
      "warning Stack: 65 kB (ulimit -s 64) is low",
    ]],
    [{ [LIMITS]: "Max processes  70  70  processes" }, [
      "warning Processes: 70 (ulimit -u 70) is low",
    ]],
    [{ [LIMITS]: "Max file size  1024000  1024000  bytes\nMax cpu time  60  60  seconds" }, [
      "warning File size: 1024 kB (ulimit -f 1000) is low",
      "warning Processor time: 60 s (ulimit -t 60) is low",
    ]],
    [{ "/proc/self/cgroup": "0::/a", "/sys/fs/cgroup/a/pids.max": "40" }, [
      "warning Tasks: 0 of 40 in the control group are in use",
    ]],
  ];

for (const [files, found] of TABLE) {
  test(`${JSON.stringify(files)}: ${found[0] ?? "no trouble"}`, () => {
    assert.deepEqual(troubles(checkLimits(fakeMachine({ files }), 4)), found);
  });
}
