/** Parses one `registries.conf` file, version 2 (containers-registries.conf(5)). */

import { parse, TomlError } from "smol-toml";
import { DenrootError, messageOf } from "../errors.ts";
import { brokenFile, isTable, Section, type Table } from "./registries_section.ts";
import { hasHost } from "./short_names.ts";
import { TomlLines } from "./toml_lines.ts";

/** The configuration of all images whose names begin with a prefix. */
export interface RegistryRule {
  /** `HOST[:PORT][/PATH]`, or `*.DOMAIN` for all hosts below it. */
  readonly prefix: string;
  /** Replaces the prefix. Empty for `*.DOMAIN` only: the name stays as it is. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  /** They are tried before the location, in this order. */
  readonly mirrors: readonly MirrorRule[];
  /** The file, and the line if it is known. */
  readonly origin: string;
}

interface MirrorRule {
  /** Replaces the prefix. */
  readonly location: string;
  readonly insecure: boolean;
  /** The references that the mirror is asked for. */
  readonly pulls: "all" | "digest-only" | "tag-only";
}

export type ShortNameMode = "enforcing" | "permissive" | "disabled";

/** What one file says; undefined where it says nothing and other files decide. */
export interface RegistriesFile {
  /** No two have the same prefix. */
  readonly rules: readonly RegistryRule[];
  readonly searchRegistries?: readonly string[] | undefined;
  /** Short name -> `HOST/REPOSITORY`; an empty text removes another file's alias. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly shortNameMode?: ShortNameMode | undefined;
  readonly credentialHelpers?: readonly string[] | undefined;
}

/** Throws code `settings` with `path`, the line, and the rule that is broken. */
export function parseRegistriesFile(text: string, path: string): RegistriesFile {
  let content: Table;
  try {
    content = parse(text, { integersAsBigInt: "asNeeded" });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = messageOf(cause).split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw brokenFile(`${path}, line ${cause.line}`, `this is not TOML: ${reason}`, cause);
  }
  const lines = new TomlLines(text);
  const top = new Section(content, path, lines, 0);
  refuseVersion1(content, path, lines);
  const search = top.texts("unqualified-search-registries");
  return {
    rules: readRules(top, lines, path),
    ...(search && { searchRegistries: search.map((host) => checkSearch(host, top)) }),
    aliases: readAliases(content, path, lines),
    shortNameMode: readMode(top),
    credentialHelpers: readHelpers(top),
  };
}

function readRules(top: Section, lines: TomlLines, path: string): readonly RegistryRule[] {
  const rules = new Map<string, RegistryRule>();
  const byLocation = new Map<string, RegistryRule>();
  for (const [index, table] of top.tables("registry").entries()) {
    const section = new Section(table, path, lines, lines.header("registry", index));
    const rule = readRule(section, index, lines, path);
    const location = rule.location || rule.prefix;
    const other = byLocation.get(location);
    if (other === undefined) byLocation.set(location, rule);
    else refuseContradiction(rule, other, section);
    // As in containers/image, the first rule of a prefix counts.
    if (!rules.has(rule.prefix)) rules.set(rule.prefix, rule);
  }
  return [...rules.values()];
}

function readRule(
  section: Section,
  index: number,
  lines: TomlLines,
  path: string,
): RegistryRule {
  const location = section.location("location");
  const prefix = section.location("prefix") || location;
  if (prefix === "") throw section.broken(undefined, "a registry needs a prefix or a location");
  const isWildcard = prefix.startsWith("*.");
  if (isWildcard && /[/@:]/.test(prefix)) {
    throw section.broken("prefix", `prefix ${JSON.stringify(prefix)} must look like *.example.com`);
  }
  if (location === "" && !isWildcard) {
    throw section.broken("prefix", `the prefix ${JSON.stringify(prefix)} needs a location`);
  }
  if (section.text("pull-from-mirror")) {
    throw section.broken("pull-from-mirror", "pull-from-mirror is for mirrors only");
  }
  const byDigestOnly = section.flag("mirror-by-digest-only") ?? false;
  const mirrors = section.tables("mirror").map((table, mirror) => {
    const header = lines.header("registry.mirror", mirror, { table: "registry", index });
    return readMirror(new Section(table, path, lines, header), byDigestOnly);
  });
  return {
    prefix,
    location,
    insecure: section.flag("insecure") ?? false,
    blocked: section.flag("blocked") ?? false,
    mirrors,
    origin: section.origin(),
  };
}

function readMirror(section: Section, byDigestOnly: boolean): MirrorRule {
  const location = section.location("location");
  if (location === "") throw section.broken(undefined, "a mirror needs a location");
  const pulls = section.text("pull-from-mirror") || undefined;
  if (pulls !== undefined && byDigestOnly) {
    throw section.broken(
      "pull-from-mirror",
      "pull-from-mirror cannot be set beside the registry's mirror-by-digest-only",
    );
  }
  if (pulls !== undefined && !isOneOf(pulls, PULLS)) {
    throw section.broken(
      "pull-from-mirror",
      `pull-from-mirror is ${JSON.stringify(pulls)}, but must be one of ${PULLS.join(", ")}`,
    );
  }
  return {
    location,
    insecure: section.flag("insecure") ?? false,
    pulls: byDigestOnly ? "digest-only" : pulls ?? "all",
  };
}

const PULLS = ["all", "digest-only", "tag-only"] as const;
const MODES = ["enforcing", "permissive", "disabled"] as const;

/** Two rules for one location must agree on insecure and blocked. */
function refuseContradiction(rule: RegistryRule, other: RegistryRule, section: Section): void {
  for (const key of ["insecure", "blocked"] as const) {
    if (rule[key] === other[key]) continue;
    const where = JSON.stringify(rule.location || rule.prefix);
    throw section.broken(key, `${key} contradicts ${other.origin}, which is also for ${where}`);
  }
}

function readMode(top: Section): ShortNameMode | undefined {
  const mode = top.text("short-name-mode") || undefined;
  if (mode === undefined || isOneOf(mode, MODES)) return mode;
  throw top.broken(
    "short-name-mode",
    `short-name-mode is ${JSON.stringify(mode)}, but must be one of ${MODES.join(", ")}`,
  );
}

/** Each name becomes part of a program's name. */
function readHelpers(top: Section): readonly string[] | undefined {
  const helpers = top.texts("credential-helpers");
  const wrong = helpers?.find((helper) => !/^\w[\w.-]*$/.test(helper));
  if (wrong === undefined) return helpers;
  throw top.broken(
    "credential-helpers",
    `the credential helper ${
      JSON.stringify(wrong)
    } must be the NAME of a program docker-credential-NAME`,
  );
}

function checkSearch(text: string, top: Section): string {
  const host = text.replace(/\/+$/, "");
  if (/^(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/.test(host)) return host;
  throw top.broken(
    "unqualified-search-registries",
    `the unqualified-search registry ${JSON.stringify(text)} must be HOST or HOST:PORT`,
  );
}

function readAliases(content: Table, path: string, lines: TomlLines): Map<string, string> {
  const table = content["aliases"] ?? {};
  const header = lines.header("aliases", 0);
  if (!isTable(table)) {
    throw new Section(content, path, lines, 0).broken("aliases", "aliases must be a table");
  }
  const section = new Section(table, path, lines, header);
  const aliases = new Map<string, string>();
  for (const name of Object.keys(table)) {
    const value = section.text(name)!;
    if (!REPOSITORY.test(name) || hasHost(name)) {
      throw section.broken(
        name,
        `the alias ${
          JSON.stringify(name)
        } must be an image's name without registry, tag and digest`,
      );
    }
    if (value !== "" && !(hasHost(value) && REPOSITORY.test(value.slice(value.indexOf("/") + 1)))) {
      throw section.broken(
        name,
        `the alias ${name} is ${
          JSON.stringify(value)
        }, but must be REGISTRY/IMAGE without tag and digest`,
      );
    }
    aliases.set(name, value);
  }
  return aliases;
}

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|__?|-+|\/)[a-z0-9]+)*$/;

/** Version 1, from before 2018, has neither mirrors nor prefixes. */
function refuseVersion1(content: Table, path: string, lines: TomlLines): void {
  if (!("registries" in content)) return;
  const line = ["registries", "registries.search", "registries.insecure", "registries.block"]
    .map((table) => lines.header(table, 0)).filter((line) => line > 0).sort((a, b) => a - b)[0];
  throw new DenrootError(
    "settings",
    `${path}${
      line === undefined ? "" : `, line ${line}`
    }: this is version 1 of the format, which is not supported`,
    {
      hint:
        "Write it as version 2: unqualified-search-registries = [...] and [[registry]] tables; " +
        "CONTAINERS_REGISTRIES_CONF names another file",
    },
  );
}

function isOneOf<T extends string>(text: string, values: readonly T[]): text is T {
  return (values as readonly string[]).includes(text);
}
