/** Opens `docker://NAME` without a registry, when registries.conf says which image that may be. */

import type { RegistriesConf } from "../../../containers_conf/registries_conf.ts";
import { resolveShortName } from "../../../containers_conf/short_names.ts";
import { DenrootError, throwIfAborted } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import { formatReference } from "../../../reference/format_reference.ts";
import { parseReference } from "../../../reference/parse_reference.ts";
import type { OnProgress } from "../../../types/progress.ts";
import type { DockerReference } from "../../../types/reference.ts";
import type { RegistrySource } from "../source.ts";

/**
 * Gives a source that reads the first of the candidates that exists. Its `uri` is that candidate's
 * once it was found, and the first candidate's before. Throws code `reference` when the configuration
 * has no candidates.
 */
export function openShortName(
  name: string,
  reference: DockerReference,
  conf: RegistriesConf,
  open: (reference: DockerReference) => RegistrySource,
  onProgress?: OnProgress,
): RegistrySource {
  const candidates = resolveShortName(name, conf)
    .map((candidate) => toReference(candidate, reference));
  const opened: RegistrySource[] = [];
  let chosen: RegistrySource | undefined;

  /** Asks one candidate after the other. The first that answers is the only one asked later. */
  async function first<T>(
    ask: (source: RegistrySource) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    if (chosen !== undefined) return await ask(chosen);
    const errors: DenrootError[] = [];
    for (const candidate of candidates) {
      try {
        const source = open(candidate);
        opened.push(source);
        const answer = await ask(source);
        chosen = source;
        const message = `The short name ${plainText(name)} stands for ${
          plainText(source.uri, 300)
        }`;
        onProgress?.({ type: "log", level: "info", message });
        return answer;
      } catch (error) {
        throwIfAborted(signal);
        if (!(error instanceof DenrootError) || candidates.length === 1) throw error;
        errors.push(error);
      }
    }
    throw foundNowhere(name, errors);
  }

  const settled = () => {
    if (chosen === undefined) throw new TypeError("root() was not called before");
    return chosen;
  };

  const sourceOf = (version: (source: RegistrySource) => RegistrySource): RegistrySource => ({
    get uri() {
      return chosen === undefined ? formatReference(candidates[0]!) : version(chosen).uri;
    },
    root: (signal) => first((source) => version(source).root(signal), signal),
    document: (descriptor, signal) => version(settled()).document(descriptor, signal),
    blob: (descriptor, range, signal) => version(settled()).blob(descriptor, range, signal),
    tags: (signal) => first((source) => source.tags(signal), signal),
    at: (tag) => sourceOf((source) => source.at(tag)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
  const own = sourceOf((source) => source);
  return {
    ...own,
    get uri() {
      return own.uri;
    },
    async [Symbol.asyncDispose]() {
      for (const source of opened) await source[Symbol.asyncDispose]();
    },
  };
}

/** Gives the candidate's registry and repository with the tag and digest that were asked for. */
function toReference(candidate: string, { tag, digest }: DockerReference): DockerReference {
  const parsed = parseReference(`docker://${candidate}`) as DockerReference;
  const { registry, repository } = parsed;
  return {
    scheme: "docker",
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function foundNowhere(name: string, errors: readonly DenrootError[]): DenrootError {
  const list = errors.map(({ message }) => message).join("; ");
  return new DenrootError(
    errors.at(-1)!.code,
    `${plainText(name)} was not found in any of ${errors.length} registries: ${list}`,
    {
      cause: errors.at(-1),
      hint: "The file registries.conf names the registries that are searched",
    },
  );
}
