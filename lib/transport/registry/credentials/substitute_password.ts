/** enroot's substitution: the shell evaluates a password that begins with `$`. */

import { DenrootError, hasCode, messageOf } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import { redact } from "../../../text/redact.ts";
import { runCommand } from "../../../system/process/run_command.ts";

interface Expression {
  readonly text: string;
  /** The entry that it is from, for errors: `FILE, line 3 (machine nvcr.io)`. */
  readonly origin: string;
}

/**
 * The password that `expression` stands for: `$VARIABLE`, `${VARIABLE}`, `$(command)`. `sh` evaluates
 * it with the environment `env`; white space at the ends of the result is removed. Throws code
 * `credentials` when the shell or the command fails or the result is empty; never shows the result.
 */
export async function substitutePassword(
  expression: Expression,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<string> {
  const script = scriptFor(expression.text);
  let result;
  try {
    // The script is not an argument: every user of the machine can read arguments.
    result = await runCommand("sh", ["-c", 'x=$DENROOT_SCRIPT; unset DENROOT_SCRIPT; eval "$x"'], {
      env: { ...env, DENROOT_SCRIPT: script },
      signal,
      timeoutMs: TIMEOUT_MS,
      maxOutputBytes: OUTPUT_BYTES,
    });
  } catch (cause) {
    if (hasCode(cause, "aborted")) throw cause;
    throw failed(expression, messageOf(cause), cause);
  }
  const { exitCode, stdout, messages } = result;
  if (exitCode !== 0) {
    throw failed(expression, reason(expression.text, exitCode, messages));
  }
  const password = stdout.toString("utf8").trim();
  if (password === "") throw failed(expression, "the result is empty");
  return password;
}

/** The command may wait for a person. */
const TIMEOUT_MS = 5 * 60_000;
const OUTPUT_BYTES = 1024 * 1024;

/**
 * An assignment keeps the exit status of the command and splits nothing. It takes one word only;
 * several words are joined by spaces, as enroot's `echo` does. The output goes through printf: the
 * echo of some shells turns the \n inside a JSON key into a line break.
 */
function scriptFor(text: string): string {
  const take = isOneWord(text) ? `v=${text}` : `set -f; set -- ${text}\nv=$*`;
  return `${take}\ns=$?; [ "$s" -eq 0 ] || exit "$s"; printf '%s' "$v"`;
}

/** Whether it is one shell word: no white space outside quotes, `$(...)`, `${...}` and backticks. */
function isOneWord(text: string): boolean {
  const closers: string[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    const closer = closers.at(-1);
    if (closer === "'") {
      if (char === "'") closers.pop();
    } else if (char === "\\") i++;
    else if (char === closer) closers.pop();
    else if (char === "$" && /[({]/.test(text[i + 1] ?? "")) {
      closers.push(text[i + 1] === "(" ? ")" : "}");
      i++;
    } else if (char === '"' || char === "`") closers.push(char);
    else if (char === "'" && closer !== '"') closers.push(char);
    else if (char === "(" && closer === ")") closers.push(")");
    else if (closer === undefined && /[\s;&|<>()]/.test(char)) return false;
  }
  return true;
}

/** A command's own message helps. The shell's message on a literal password could show a part of it. */
function reason(text: string, exitCode: number | null, stderr: string): string {
  const said = text.startsWith("$(") ? stderr.trim().split("\n").at(-1) ?? "" : "";
  const status = exitCode === null ? "it was killed" : `exit code ${exitCode}`;
  return said === "" ? status : `${status}: ${plainText(redact(said), 200)}`;
}

function failed(expression: Expression, why: string, cause?: unknown): DenrootError {
  return new DenrootError(
    "credentials",
    `The password in ${expression.origin} could not be substituted: ${why}`,
    {
      cause,
      hint: "The shell evaluates a password that begins with $; put a literal one in quotes",
    },
  );
}
