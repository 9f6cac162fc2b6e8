/** Mounts lines into a root, inside namespaces of its own, and says what came of it, as JSON. */

import { readFileSync } from "node:fs";
import process from "node:process";
import { makeMount } from "../../../lib/container/mounts/make_mount.ts";
import { parseFstabLine } from "../../../lib/enroot/parse_fstab.ts";
import { DenrootError } from "../../../lib/errors.ts";
import { rootedFiles } from "../../../lib/system/files/rooted_files.ts";
import type { MountingJob, MountingResult } from "./run_mounting.ts";

const { root, lines, read }: MountingJob = JSON.parse(process.argv[2]!);
using files = await rootedFiles(root);
const errors: string[] = [];
const warnings: string[] = [];
for (const line of lines) {
  const parsed = parseFstabLine(line, (name) => name === "ENROOT_ROOTFS" ? root : undefined)!;
  try {
    const context = { root: files, warn: (message: string) => warnings.push(message) };
    // Lines of an image say so by their type.
    const onlyOwn = parsed.type === "own";
    makeMount(
      { ...parsed, ...(onlyOwn && { type: "none", onlyOwn }), origin: "the test" },
      context,
    );
  } catch (error) {
    if (!(error instanceof DenrootError)) throw error;
    errors.push([error.message, error.hint ?? ""].join("; "));
  }
}
const texts = read.map((path) => {
  const bytes = files.read(path, 1000);
  return bytes === undefined ? null : new TextDecoder().decode(bytes);
});
const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n")
  .map((line) => line.split(" ").map((word) => word.replaceAll("\\040", " ")))
  .filter((fields) => fields[4]?.startsWith(`${root}/`))
  .map((fields) => {
    const end = fields.indexOf("-");
    return {
      target: fields[4]!.slice(root.length),
      options: fields[5]!.split(","),
      propagation: fields.slice(6, end).map((word) => word.split(":")[0]!),
      type: fields[end + 1]!,
    };
  });
const result: MountingResult = { errors, warnings, texts, mounts };
console.log(JSON.stringify(result));
