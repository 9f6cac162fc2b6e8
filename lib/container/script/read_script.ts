/** Asks a configuration script, which is written in bash, what it wants of its container. */

import { DenrootError } from "../../errors.ts";
import { findProgram } from "../../system/host/find_program.ts";
import { readForeground } from "../../system/process/run_foreground.ts";
import { quotePath } from "../../text/quote_text.ts";
import { tendedCommand } from "../enter/put_program.ts";
import type { ScriptOutput } from "../plan/plan_inputs.ts";
import { requireScript } from "./require_script.ts";

interface ScriptSurroundings {
  /** The script's whole environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** A directory that is the container's own. */
  readonly runtimePath: string;
}

const OUTPUT_LIMIT_BYTES = 16 << 20;

/**
 * What bash does with the script, as enroot does it. What the script prints by itself goes to standard
 * error; before each part, its name comes behind a NUL, which no function can print by accident.
 */
const QUESTIONS = `
exec {denroot_output}>&1 >&2
"$BASH" --norc -n "$0"
printf '\\0source\\n' >&"$denroot_output"
source "$0"
if declare -F environ > /dev/null; then
    printf '\\0environ\\n' >&"$denroot_output"
    environ >&"$denroot_output"
fi
if declare -F mounts > /dev/null; then
    printf '\\0mounts\\n' >&"$denroot_output"
    mounts >&"$denroot_output"
fi
if declare -F hooks > /dev/null; then
    printf '\\0hooks\\n' >&"$denroot_output"
fi
if declare -F rc > /dev/null; then
    printf '\\0rc\\n' >&"$denroot_output"
    declare -f rc >&"$denroot_output"
fi
`;

/**
 * Sources the script under errexit, nounset and pipefail, with its path as `$0` and `command` as `$@`,
 * and calls `environ()` and `mounts()`. `hooks()` is not called.
 *
 * Throws code `settings` when the script fails, and `not_found` where it or bash is missing.
 */
export async function readScript(
  path: string,
  command: readonly string[],
  { environment, runtimePath }: ScriptSurroundings,
): Promise<ScriptOutput> {
  requireScript(path);
  const bash = findProgram("bash", environment);
  if (bash === undefined) throw lacksBash(path);
  // A shell would run the file that this one names.
  const { BASH_ENV: _, ...env } = environment;
  const strict = ["--norc", "-e", "-u", "-o", "pipefail", "-O", "lastpipe"];
  const args = [...strict, "-c", QUESTIONS, path, ...command];
  const tended = tendedCommand(runtimePath, { program: bash, args });
  const { exitCode, output } = await readForeground(tended.program, tended.args, {
    env,
    maxOutputBytes: OUTPUT_LIMIT_BYTES,
  });
  const parts = partsOf(output.toString("utf8"));
  if (exitCode !== 0) throw scriptError(path, [...parts.keys()].at(-1), exitCode);
  return {
    path,
    environment: parts.get("environ"),
    mounts: parts.get("mounts"),
    hasHooks: parts.has("hooks"),
    rc: bodyOf(parts.get("rc")),
  };
}

function partsOf(output: string): ReadonlyMap<string, string> {
  return new Map(
    output.split("\0").slice(1).map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1)] as const;
    }),
  );
}

/** What bash prints of a function, without its first two lines and its last one: name and braces. */
function bodyOf(printed: string | undefined): string | undefined {
  return printed && printed.trimEnd().split("\n").slice(2, -1).join("\n") + "\n";
}

function scriptError(path: string, part: string | undefined, exitCode: number): DenrootError {
  const name = quotePath(path);
  if (part === undefined) {
    return new DenrootError("settings", `The configuration script ${name} is no valid bash`, {
      hint: "bash has said above what is wrong with it",
    });
  }
  const where = part === "source" ? name : `${name} in its function ${part}()`;
  return new DenrootError(
    "settings",
    `The configuration script ${where} failed with exit code ${exitCode}`,
    { hint: "A command that fails ends the script, and so does a variable that is not set" },
  );
}

function lacksBash(path: string): DenrootError {
  return new DenrootError(
    "not_found",
    `The configuration script ${quotePath(path)} needs bash, which this machine does not have`,
    { hint: "Install bash, or give the options to denroot itself" },
  );
}
