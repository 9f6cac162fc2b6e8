/** Credential helpers: programs `docker-credential-NAME` that keep passwords. */

import { DenrootError } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import { redact } from "../../../text/redact.ts";
import { runCommand } from "../../../system/process/run_command.ts";
import type { AuthEntry } from "../../../containers_conf/auth_file.ts";

/**
 * The helper's entry for `server`; undefined when it has none. Throws code `credentials` when the
 * helper fails, `not_found` when it is not on PATH.
 */
export async function askHelper(
  name: string,
  server: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<AuthEntry | undefined> {
  const program = `docker-credential-${name}`;
  const { exitCode, stdout, messages } = await runCommand(program, ["get"], {
    input: server,
    env,
    signal,
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: OUTPUT_BYTES,
  });
  if (exitCode !== 0) {
    // Helpers report failures on standard output.
    const said = stdout.toString("utf8").trim() || messages.trim();
    if (/credentials not found/i.test(said)) return undefined;
    // A helper that fails late may have printed its answer.
    const shown = /"Secret"/.test(said) ? "" : `: ${plainText(redact(said), 200)}`;
    throw failed(program, server, `exit code ${exitCode}${shown}`);
  }
  return parseAnswer(stdout.toString("utf8"), program, server);
}

const TIMEOUT_MS = 5 * 60_000;
const OUTPUT_BYTES = 1024 * 1024;

function parseAnswer(text: string, program: string, server: string): AuthEntry | undefined {
  let answer: { Username?: unknown; Secret?: unknown } | null;
  try {
    answer = JSON.parse(text);
  } catch {
    // The parser's message may quote the secret: it is not given as the cause.
    throw failed(program, server, "its answer is not JSON");
  }
  const username = answer?.Username;
  const secret = answer?.Secret;
  if (typeof username !== "string" || typeof secret !== "string") {
    throw failed(program, server, "its answer has no Username and Secret");
  }
  if (username === "" && secret === "") return undefined;
  return username === "<token>"
    ? { username, password: "", identityToken: secret }
    : { username, password: secret };
}

function failed(program: string, server: string, why: string): DenrootError {
  return new DenrootError("credentials", `${program} failed for ${plainText(server)}: ${why}`);
}
