/** Opens `docker://NAME` without a registry, when registries.conf says which image that may be. */

import type { RegistriesConf } from "../../../containers_conf/registries_conf.ts";
import { resolveShortName } from "../../../containers_conf/short_names.ts";
import { DenrootError, throwIfAborted } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import { formatReference } from "../../../reference/format_reference.ts";
import { parseReference } from "../../../reference/parse_reference.ts";
import type { ByteRange, Descriptor, Digest, IndexEntry } from "../../../types/image.ts";
import type { OnProgress } from "../../../types/progress.ts";
import type { DockerReference } from "../../../types/reference.ts";
import type { RegistrySource } from "../source.ts";

/**
 * Gives a source that reads the first of the candidates that exists. Its `reference` is that
 * candidate's once it was found, and the first candidate's before. Throws code `reference` when the
 * configuration has no candidates.
 */
export function openShortName(
  name: string,
  reference: DockerReference,
  conf: RegistriesConf,
  open: (reference: DockerReference) => RegistrySource,
  onProgress?: OnProgress,
): RegistrySource {
  const references = resolveShortName(name, conf)
    .map((candidate) => toReference(candidate, reference));
  return new ShortNameSource(new Candidates(name, references, open, onProgress));
}

/** The images that a short name may stand for, and the one that it does stand for. */
class Candidates {
  readonly #name: string;
  readonly #references: readonly DockerReference[];
  readonly #open: (reference: DockerReference) => RegistrySource;
  readonly #onProgress: OnProgress | undefined;
  readonly #opened: RegistrySource[] = [];
  #found: RegistrySource | undefined;

  constructor(
    name: string,
    references: readonly DockerReference[],
    open: (reference: DockerReference) => RegistrySource,
    onProgress: OnProgress | undefined,
  ) {
    this.#name = name;
    this.#references = references;
    this.#open = open;
    this.#onProgress = onProgress;
  }

  /** The reference of the first candidate. */
  get likely(): DockerReference {
    return this.#references[0]!;
  }

  /** The candidate that answered. */
  get found(): RegistrySource | undefined {
    return this.#found;
  }

  /** Asks one candidate after the other. The first that answers is the only one asked later. */
  async ask<T>(
    question: (source: RegistrySource) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    if (this.#found !== undefined) return await question(this.#found);
    const errors: DenrootError[] = [];
    for (const reference of this.#references) {
      try {
        const source = this.#open(reference);
        this.#opened.push(source);
        const answer = await question(source);
        this.#choose(source);
        return answer;
      } catch (error) {
        throwIfAborted(signal);
        if (!(error instanceof DenrootError) || this.#references.length === 1) throw error;
        errors.push(error);
      }
    }
    throw foundNowhere(this.#name, errors);
  }

  async close(): Promise<void> {
    for (const source of this.#opened) await source[Symbol.asyncDispose]();
  }

  #choose(source: RegistrySource): void {
    this.#found = source;
    const message = `The short name ${plainText(this.#name)} stands for ${
      plainText(source.uri, 300)
    }`;
    this.#onProgress?.({ type: "log", level: "info", message });
  }
}

class ShortNameSource implements RegistrySource {
  readonly #candidates: Candidates;
  readonly #tag: string | undefined;

  /** With `tag` it reads the image that has this tag, and leaves the candidates open at its end. */
  constructor(candidates: Candidates, tag?: string) {
    this.#candidates = candidates;
    this.#tag = tag;
  }

  get reference(): DockerReference {
    const { found, likely } = this.#candidates;
    return found === undefined ? likely : this.#image(found).reference;
  }

  get uri(): string {
    return formatReference(this.reference);
  }

  root(signal: AbortSignal): ReturnType<RegistrySource["root"]> {
    return this.#candidates.ask((source) => this.#image(source).root(signal), signal);
  }

  /** Which of the candidates it is has to be known before. */
  async digest(signal: AbortSignal): Promise<Digest | undefined> {
    const { found } = this.#candidates;
    return found && await this.#image(found).digest(signal);
  }

  document(descriptor: Descriptor, signal: AbortSignal): ReturnType<RegistrySource["document"]> {
    return this.#image(this.#found).document(descriptor, signal);
  }

  blob(
    descriptor: Descriptor,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    return this.#image(this.#found).blob(descriptor, range, signal);
  }

  requireBlob(descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    return this.#image(this.#found).requireBlob(descriptor, signal);
  }

  tags(signal: AbortSignal): Promise<readonly string[]> {
    return this.#candidates.ask((source) => source.tags(signal), signal);
  }

  referrers(digest: Digest, signal: AbortSignal): Promise<readonly IndexEntry[]> {
    return this.#image(this.#found).referrers(digest, signal);
  }

  at(tag: string): RegistrySource {
    return new ShortNameSource(this.#candidates, tag);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#tag === undefined) await this.#candidates.close();
  }

  get #found(): RegistrySource {
    const { found } = this.#candidates;
    if (found === undefined) throw new TypeError("root() was not called before");
    return found;
  }

  #image(source: RegistrySource): RegistrySource {
    return this.#tag === undefined ? source : source.at(this.#tag);
  }
}

/** Gives the candidate's registry and repository with the tag and digest that were asked for. */
function toReference(candidate: string, { tag, digest }: DockerReference): DockerReference {
  const { registry, repository } = parseReference(`docker://${candidate}`) as DockerReference;
  return { scheme: "docker", registry, repository, tag, digest };
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
