/** The program that children of the library run, where denroot is no executable. */

import { writeSync } from "node:fs";
import process from "node:process";
// Before all else: Deno soon changes what it reads.
import "./lib/system/process/signal_masks.ts";
import { isPart, runPart } from "./lib/command/run_part.ts";

const [name, ...words] = process.argv.slice(2);
if (!isPart(name)) throw new TypeError(`${name} is no part of a start`);
const code = await runPart(name, words, {
  result: (text) => writeSync(1, text),
  message: (text) => writeSync(2, text),
  failureCode: (code) => code === "usage" ? 2 : 1,
});
process.exit(code);
