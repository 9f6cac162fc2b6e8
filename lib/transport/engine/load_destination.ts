/** Engines that take images: an archive is streamed into them, and they unpack it. */

import type { Writable } from "node:stream";
import { DenrootError, hasCode, throwIfAborted } from "../../errors.ts";
import { formatReference } from "../../reference/format_reference.ts";
import { fullName, parseImageName } from "../../reference/image_name.ts";
import { type Child, spawnChild } from "../../system/process/spawn_child.ts";
import { plainText } from "../../text/quote_text.ts";
import { redact } from "../../text/redact.ts";
import type { Digest } from "../../types/image.ts";
import type { EngineReference, StorageReference } from "../../types/reference.ts";
import type { ImageDestination } from "../../types/source.ts";
import { SavedList } from "../archive/saved_list.ts";
import { type ByteSink, StreamOutput } from "../archive/tar_output.ts";
import type { DestinationContext } from "../destination_context.ts";
import { ArchiveDestination, ArchiveInProgress } from "../layout/archive_destination.ts";
import { dockerApi } from "./api_engine.ts";
import { NoEngineError } from "./connect_engine.ts";
import { connectDaemon } from "./docker_daemon.ts";
import { type Engine, isNotFound } from "./engine.ts";
import { programEngine } from "./program_engine.ts";

type Context = Pick<DestinationContext, "settings" | "platform" | "signal">;

/**
 * The Docker daemon takes an archive as `docker load` does (Docker Engine API, ImageLoad). Throws code
 * `network` when no daemon answers, `reference` for a name that no image can get.
 */
export async function openDaemonDestination(
  reference: EngineReference,
  context: Context,
): Promise<ImageDestination> {
  const { scheme } = reference;
  const name = newName(reference.image);
  const connection = await connectDaemon(context);
  const { client, versions, address } = connection;
  // deno-lint-ignore require-await -- turns a thrown error into a rejection
  const open = async () => {
    const post = client.post(`/v${versions.api}/images/load?quiet=1`, context.signal);
    return writableSink(post.body, post.answer, () => post.body.destroy());
  };
  const archive = new ArchiveInProgress({
    output: new StreamOutput(open),
    shown: `the Docker daemon at ${address}`,
    uriOf: (image = "") => formatReference({ scheme, image }),
    takesOnlyImages: true,
    idOf: idIn(dockerApi(connection), context),
    savedImages: new SavedList(),
  });
  return new ArchiveDestination(name, archive);
}

/** podman keeps its own names: the program `podman` loads an image layout. */
// deno-lint-ignore require-await -- turns a thrown error into a rejection
export async function openPodmanDestination(
  reference: EngineReference,
  context: Context,
): Promise<ImageDestination> {
  return openLoading(reference, [], context);
}

/** Throws code `unsupported` where podman is not installed: nothing else may write its storage. */
// deno-lint-ignore require-await -- turns a thrown error into a rejection
export async function openStorageDestination(
  reference: StorageReference,
  context: Context,
): Promise<ImageDestination> {
  const { driver, root, runRoot, options } = reference;
  const args = [
    ...(root === undefined ? [] : ["--root", root]),
    ...(runRoot === undefined ? [] : ["--runroot", runRoot]),
    ...(driver === undefined ? [] : ["--storage-driver", driver]),
    ...options.flatMap((option) => ["--storage-opt", option]),
  ];
  return openLoading(reference, args, context);
}

function openLoading(
  reference: EngineReference | StorageReference,
  args: readonly string[],
  context: Context,
): Promise<ImageDestination> {
  throwIfAborted(context.signal);
  const { environment } = context.settings;
  const reason = new NoEngineError("network", "podman does not tell what it has");
  const podman = programEngine("podman", { args, environment, reason });
  const archive = new ArchiveInProgress({
    output: new StreamOutput(() => startLoading(args, context)),
    shown: "podman load",
    uriOf: () => formatReference(reference),
    takesOnlyImages: true,
    hasOneName: true,
    idOf: idIn(podman, context),
  });
  return Promise.resolve(new ArchiveDestination(newName(reference.image), archive));
}

async function startLoading(
  args: readonly string[],
  { settings, signal }: Context,
): Promise<ByteSink> {
  const child = spawnChild("podman", [...args, "load", "--quiet"], {
    stdin: "pipe",
    env: settings.environment,
    signal,
  });
  await child.started.catch((cause) => {
    throw new DenrootError(
      "unsupported",
      "podman is not installed, and only it writes its storage",
      { cause, hint: "Copy to oci-archive:FILE, and load that where podman is" },
    );
  });
  return writableSink(child.stdin!, loaded(child), () => void child.end());
}

async function loaded(child: Child): Promise<void> {
  const { exitCode, signal, messages } = await child.exited;
  if (exitCode === 0) return;
  const how = signal ? `signal ${signal}` : `exit code ${exitCode}`;
  const said = plainText(redact(messages.trim().split("\n").at(-1) ?? ""), 500);
  throw new DenrootError("registry", `podman load failed: ${said || `it ended with ${how}`}`);
}

/** An engine that cannot be asked says more when it is to load something. */
function idIn(engine: Engine, { platform }: Context) {
  return async (name: string, signal: AbortSignal): Promise<Digest | undefined> => {
    try {
      return (await engine.inspect(name, platform, signal)).id;
    } catch (error) {
      if (isNotFound(error) || hasCode(error, "network")) {
        return undefined;
      }
      throw error;
    }
  };
}

/**
 * Writes into `stream`. When the reader ends early, its own error counts, and not that of the broken
 * pipe. `result` is the reader's verdict.
 */
function writableSink(
  stream: Writable,
  result: Promise<unknown>,
  stop: () => void,
): ByteSink {
  let isEnded = false;
  const failed = result.then(() => {}, (error) => error);
  // A stream whose reader is gone may never say that a write has failed.
  const broken = new Promise<never>((_, reject) => void result.catch(reject));
  broken.catch(() => {});
  stream.on("error", () => {});
  const fail = async (error: unknown) => {
    throw await failed ?? error;
  };
  return {
    async write(bytes) {
      const written = new Promise<void>((resolve, reject) =>
        stream.write(bytes, (error) => error ? reject(error) : resolve())
      );
      await Promise.race([written, broken]).catch(fail);
    },
    async end() {
      isEnded = true;
      stream.end();
      await result;
    },
    close() {
      if (!isEnded) stop();
    },
  };
}

/** Throws code `reference` for an ID or a digest, which no image can be given. */
function newName(image: string): string {
  if (!/^sha256:|^@/.test(image)) {
    const name = parseImageName(image);
    if (name.digest === undefined) return fullName(name);
  }
  throw new DenrootError("reference", `${plainText(image)} is not a name that an image can get`, {
    hint: "Write a name and a tag, such as app:1.0",
  });
}
