/** enroot's substitution: a password that begins with `$` is what the shell makes of it. */

import { DenrootError, hasCode, messageOf } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import { runCommand } from "../../../system/process/run_command.ts";

export interface Expression {
  readonly text: string;
  /** Which entry it stands in, for errors: `FILE, line 3 (machine nvcr.io)`. */
  readonly place: string;
}

/**
 * The password that `expression` stands for: `$VARIABLE`, `${VARIABLE}`, `$(command)`. Evaluated by
 * `sh` with the environment given, without white space at its ends. Throws code `credentials` when
 * the shell or the command fails or the result is empty; never shows the result.
 */
export async function substitutePassword(
  expression: Expression,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<string> {
  const script = scriptFor(expression.text);
  let result;
  try {
    // Not as an argument: every user of the machine can read those.
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

/** A person may have to type something first. */
const TIMEOUT_MS = 5 * 60_000;
const OUTPUT_BYTES = 1024 * 1024;

/**
 * An assignment keeps the exit status of the command and splits nothing. Several words, which
 * enroot's `echo` would print one after the other, cannot be assigned: they are joined instead.
 * printf, because some shells' echo turns the \n inside a JSON key into a line's end.
 */
function scriptFor(text: string): string {
  const take = isOneWord(text) ? `v=${text}` : `set -f; set -- ${text}\nv=$*`;
  return `${take}\ns=$?; [ "$s" -eq 0 ] || exit "$s"; printf '%s' "$v"`;
}

/** Whether the shell sees one word: no white space outside quotes, `$(...)`, `${...}`, backticks. */
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

/** What a command says helps; what the shell says of a literal password might show part of it. */
function reason(text: string, exitCode: number | null, stderr: string): string {
  const said = text.startsWith("$(") ? stderr.trim().split("\n").at(-1) ?? "" : "";
  const status = exitCode === null ? "it was killed" : `exit code ${exitCode}`;
  return said === "" ? status : `${status}: ${plainText(said, 200)}`;
}

function failed(expression: Expression, why: string, cause?: unknown): DenrootError {
  return new DenrootError(
    "credentials",
    `The password in ${expression.place} could not be substituted: ${why}`,
    {
      cause,
      hint: "A password that begins with $ is evaluated by the shell; put a literal one in quotes",
    },
  );
}
