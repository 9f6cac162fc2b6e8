/** What the tests of mirrors share: servers that answer by path, and a registries.conf for them. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RegistrySource } from "../../../../lib/transport/registry/source.ts";
import {
  type Answer,
  type FakeRegistry,
  type FakeRegistryOptions,
  startFakeRegistry,
} from "../../../helpers/fake_registry.ts";
import {
  blobOf,
  manifestAnswer,
  manifestText,
  open,
  type OpenOptions,
} from "../registry_fixture.ts";

export const BIG = "0123456789".repeat(1000);
export const BIG_LAYER = blobOf(BIG);
export const OTHER = "another layer";
export const OTHER_LAYER = blobOf(OTHER);
export const TWO_LAYERS = manifestText({ layers: [BIG_LAYER, OTHER_LAYER] });

/** The answers of a registry that has the whole image. */
export const WHOLE: Readonly<Record<string, Answer>> = {
  "/v2/team/app/manifests/latest": manifestAnswer(TWO_LAYERS),
  [`/v2/team/app/blobs/${BIG_LAYER.digest}`]: { body: BIG },
  [`/v2/team/app/blobs/${OTHER_LAYER.digest}`]: { body: OTHER },
};

/** A server with an answer for each path, and 404 for all others. It understands ranges. */
export function serve(
  answers: Readonly<Record<string, Answer>>,
  options?: FakeRegistryOptions,
): Promise<FakeRegistry> {
  return startFakeRegistry(({ line, headers }) => {
    const answer = answers[line.replace(/^GET /, "")] ?? { status: 404 };
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers["range"] ?? "");
    if (range === null || answer.status !== undefined || typeof answer.body !== "string") {
      return answer;
    }
    const [start, end] = [Number(range[1]), Number(range[2]) + 1];
    return {
      ...answer,
      status: 206,
      headers: { "Content-Range": `bytes ${start}-${end - 1}/${answer.body.length}` },
      body: answer.body.slice(start, end),
    };
  }, options);
}

/** The paths that a server was asked for. */
export function asked({ requests }: FakeRegistry): string[] {
  return requests.map(({ line }) => line.replace(/^GET \/v2\/team\/app\//, ""));
}

/** Writes `text` as the configuration; the result is the environment that names the file. */
export function registriesConf(scratch: string, text: string): Record<string, string> {
  const home = mkdtempSync(join(scratch, "home-"));
  const path = join(home, "registries.conf");
  writeFileSync(path, text);
  return { HOME: home, PATH: "/usr/bin:/bin", CONTAINERS_REGISTRIES_CONF: path };
}

interface MirrorRule {
  readonly host: string;
  /** Further lines of the mirror's table. */
  readonly more?: string;
}

/** The configuration of the registry `origin` with mirrors. */
export function withMirrors(origin: string, mirrors: readonly MirrorRule[], more = ""): string {
  const tables = mirrors.map(({ host, more }) =>
    `[[registry.mirror]]\nlocation = "${host}"\n${more ?? ""}\n`
  );
  return `[[registry]]\nlocation = "${origin}"\n${more}\n${tables.join("")}`;
}

/** Opens `origin`'s team/app with these mirrors. */
export function openMirrored(
  scratch: string,
  origin: string,
  mirrors: readonly MirrorRule[],
  options: OpenOptions & { readonly more?: string } = {},
): Promise<RegistrySource> {
  const environment = registriesConf(scratch, withMirrors(origin, mirrors, options.more));
  return open(origin, { ...options, settings: { environment, ...options.settings } });
}
