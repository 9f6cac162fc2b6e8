/** The project's pages for people, and the examples in them. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const project = fileURLToPath(new URL("../..", import.meta.url));

export const HOW_TO_REMAKE = "Run: node_modules/.bin/bun scripts/make_pictures.ts";

export interface Page {
  /** Below the project's directory. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block: ```` ```LANGUAGE NAME="VALUE" ````. */
export interface Example {
  readonly language: string;
  /** The file that the block is; it is written, and not run. */
  readonly file: string | undefined;
  /** Why the tests do not run it. */
  readonly notRun: string | undefined;
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

export const pages: readonly Page[] = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(project, "docs")).filter((name) => name.endsWith(".md")).sort()
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: textOf(path) }));

export function textOf(path: string): string {
  return readFileSync(join(project, path), "utf8");
}

export function examplesOf({ text }: Page): readonly Example[] {
  return [...text.matchAll(/^```(\w*)(.*)\n([^]*?)^```$/gm)].map((match) => {
    const [, language = "", attributes = "", body = ""] = match;
    return {
      language,
      file: attribute(attributes, "file"),
      notRun: attribute(attributes, "not-run"),
      text: body,
      line: text.slice(0, match.index).split("\n").length,
    };
  });
}

function attribute(text: string, name: string): string | undefined {
  return new RegExp(` ${name}="([^"]*)"`).exec(text)?.[1];
}
