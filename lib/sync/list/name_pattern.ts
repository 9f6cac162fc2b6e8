/** Patterns in a list: which tags of a repository, and which repositories of a registry. */

import { semverRange } from "./semver_range.ts";

export type NameTest = (name: string) => boolean;

/** Whether a text in a tag's place is a pattern: no tag has these characters. */
export function isTagPattern(text: string): boolean {
  return /[*?<>=^~,|\s[\]]/.test(text);
}

/** A range of versions begins with an operator or has spaces; anything else is a glob. */
export function tagTest(pattern: string): NameTest {
  return /[<>=^~,|\s]/.test(pattern) ? semverRange(pattern) : globTest(pattern);
}

/** `*` stands for any text without a slash, `**` for any text, `?` for one character. */
export function globTest(pattern: string): NameTest {
  const source = pattern.replace(/\*\*|[*?]|[^*?]+/g, (part) => {
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    return part.replace(/[\\^$.|+()[\]{}]/g, "\\$&");
  });
  const test = new RegExp(`^${source}$`);
  return (name) => test.test(name);
}
