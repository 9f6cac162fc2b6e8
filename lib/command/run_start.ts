/** Becomes a container, as `start` is told. */

import type { Console } from "./output/console.ts";
import { readPlainWords } from "./plain_words.ts";
import { addStartOptions, startOptionsOf, type StartWords } from "./start_options.ts";

type Log = Console["log"];

/** What `start WORDS` does where the words are plain. */
export function plainStart(words: readonly string[]): ((log: Log) => Promise<void>) | undefined {
  const plain = readPlainWords(addStartOptions, words);
  const [name, ...command] = plain?.operands ?? [];
  if (plain === undefined || name === undefined) return undefined;
  return (log) => runStart(name, command, { words: plain.options, log });
}

export async function runStart(
  name: string,
  command: readonly string[],
  { words, log }: { readonly words: StartWords; readonly log: Log },
): Promise<void> {
  warnOfMisplaced(command, log);
  // The rest of the library would take longer to load than the container to start.
  const [{ scriptSettings }, { startRequest }, { becomeContainer }] = await Promise.all([
    import("../container/start/script_settings.ts"),
    import("../container/start/start_request.ts"),
    import("../container/start/become_container.ts"),
  ]);
  const settings = await scriptSettings(words.conf);
  const request = startRequest(name, { ...startOptionsOf(words), command, settings });
  await becomeContainer(request, settings);
}

/** Options of `start` that hardly any program of a container has as its first argument. */
const UNMISTAKABLE =
  /^(?:-w|-r|--(?:rw|root|mount|env|env-file|conf|rc|workdir|pid|net|ipc|uts|unpack|dry-run)(?:=.*)?)$/s;

/** As in enroot, what stands behind the name belongs to the command. */
function warnOfMisplaced([first]: readonly string[], log: Log): void {
  if (first === undefined || !UNMISTAKABLE.test(first)) return;
  const [option] = first.split("=");
  log(
    "warn",
    `${option} stands behind the container's name, so the container's command gets it. ` +
      "Write options of start before the name",
  );
}
