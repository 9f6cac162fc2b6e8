/** Becoming `enter`, the carried program that does what a program with threads cannot. */

import { DenrootError, messageOf } from "../../errors.ts";
import { memoryDescriptor } from "../../system/linux/descriptors.ts";
import { execute, executeOpen } from "../../system/linux/execute.ts";
import { runPlaces, type RunPlaceSettings } from "../../tools/run_places.ts";
import { enterProgram } from "../../tools/enter_program.ts";

/**
 * Runs `enter` with these words in place of this process, from the first place that allows it:
 * memory, the cache, directories for temporary files. Only returns by throwing
 * {@link DenrootError}.
 */
export async function becomeEnter(
  words: readonly string[],
  environment: readonly (string | Uint8Array)[],
  settings: RunPlaceSettings,
): Promise<never> {
  const program = enterProgram();
  const argv = ["denroot", ...words];
  const failures: string[] = [];
  try {
    executeOpen(memoryDescriptor("denroot-enter", program), argv, environment);
  } catch (error) {
    failures.push(`memory: ${messageOf(error)}`);
  }
  for (const place of runPlaces(settings).slice(1)) {
    try {
      const { path } = await place.put("enter", program);
      execute(path, argv, environment);
    } catch (error) {
      failures.push(`${place.name}: ${messageOf(error)}`);
    }
  }
  throw new DenrootError(
    "unsupported",
    `denroot's program that enters namespaces can run nowhere here: ${failures.join("; ")}`,
    { hint: "Set ENROOT_CACHE_PATH to a directory that is not mounted noexec" },
  );
}
