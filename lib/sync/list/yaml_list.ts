/**
 * The YAML list of `skopeo sync` (containers/skopeo, docs/skopeo-sync.1.md): for each registry its
 * repositories with tags, expressions or ranges of versions, and how to reach it.
 */

import { parse } from "yaml";
import type { SideOptions } from "../../copy/side_options.ts";
import { DenrootError, messageOf } from "../../errors.ts";
import { Fields, isObject } from "../../oci/json_fields.ts";
import { parseReference } from "../../reference/parse_reference.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import type { DockerReference } from "../../types/reference.ts";
import type { ListItem } from "./list_item.ts";
import type { NameTest } from "./name_pattern.ts";
import { semverRange } from "./semver_range.ts";

const FIELDS: ReadonlySet<string> = new Set([
  "images",
  "images-by-tag-regex",
  "images-by-semver",
  "credentials",
  "tls-verify",
]);
/** Every value is text, so that the tag 1.10 stays what it is. More aliases are an attack. */
const OPTIONS = { schema: "failsafe", maxAliasCount: 100, logLevel: "error" } as const;

/** Throws code `definition` for text that is no such list. */
export function parseYamlList(text: string, name: string): readonly ListItem[] {
  let value: unknown;
  try {
    value = parse(text, OPTIONS);
  } catch (cause) {
    throw notList(name, messageOf(cause).split("\n")[0]!, cause);
  }
  if (!isObject(value)) throw notList(name, "it names no registries");
  try {
    return Object.entries(value).flatMap(([registry, rules]) => itemsOf(registry, rules));
  } catch (cause) {
    throw notList(name, messageOf(cause), cause);
  }
}

function itemsOf(registry: string, rules: unknown): readonly ListItem[] {
  const fields = new Fields(rules, `The registry ${quoteText(registry)}`);
  const unknown = Object.keys(rules as object).find((key) => !FIELDS.has(key));
  if (unknown !== undefined) throw unknownField(registry, unknown);
  const side = sideOf(fields);
  const expressions = fields.stringMap("images-by-tag-regex");
  const ranges = fields.stringMap("images-by-semver");
  return [
    ...Object.entries(fields.optionalObject("images") ?? {})
      .flatMap(([image, tags]) => listed(registry, image, tags, side)),
    ...Object.entries(expressions)
      .map(([image, text]) => fitting(registry, image, text, expression(text), side)),
    ...Object.entries(ranges)
      .map(([image, text]) => fitting(registry, image, text, semverRange(text), side)),
  ];
}

/** Without tags all of the repository's are meant. */
function listed(
  registry: string,
  image: string,
  tags: unknown,
  side: SideOptions,
): readonly ListItem[] {
  const versions = tags === "" ? [] : new Fields({ [image]: tags }, registry).strings(image);
  if (versions.length === 0) return [fitting(registry, image, "*", () => true, side)];
  return versions.map((version) => {
    const isDigest = version.startsWith("sha256:");
    const text = `docker://${registry}/${image}${isDigest ? "@" : ":"}${version}`;
    return { type: "place", text, reference: parseReference(text), side };
  });
}

function fitting(
  registry: string,
  image: string,
  pattern: string,
  tags: NameTest,
  side: SideOptions,
): ListItem {
  const { registry: host, repository } = parseReference(
    `docker://${registry}/${image}`,
  ) as DockerReference;
  const text = `docker://${registry}/${image}:${pattern}`;
  return { type: "repositories", text, registry: host, repositories: repository, tags, side };
}

/** Go writes flags in front, and names of character classes, which mean something else here. */
function expression(text: string): NameTest {
  const [, flags = "", pattern = ""] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(text)!;
  if (/\[:\^?\w+:\]/.test(pattern)) {
    throw new DenrootError("definition", `denroot does not read the class in ${quoteText(text)}`, {
      hint: "Write the characters themselves: [a-z0-9]",
    });
  }
  const test = new RegExp(pattern, flags);
  return (tag) => test.test(tag);
}

function sideOf(fields: Fields): SideOptions {
  const credentials = fields.optionalObject("credentials");
  const account = credentials && new Fields(credentials, "The credentials");
  return {
    ...(account && {
      user: account.string("username"),
      password: account.string("password"),
    }),
    ...(/^(false|no|off)$/i.test(fields.optionalString("tls-verify") ?? "") &&
      { acceptsAnyCertificate: true }),
  };
}

function unknownField(registry: string, field: string): DenrootError {
  return new DenrootError(
    "definition",
    `The registry ${quoteText(registry)} has the field ${
      quoteText(field)
    }, which denroot does not read`,
  );
}

function notList(name: string, why: string, cause?: unknown): DenrootError {
  return new DenrootError("definition", `${plainText(name, 300)}: ${plainText(why, 300)}`, {
    cause,
    hint: "Write one image a line, or YAML as skopeo sync reads it",
  });
}
