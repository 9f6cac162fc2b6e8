/** What an examination finds. */

import { FETCHING as ASKING } from "../config/table/setting_definition.ts";

/** The commands that ask registries, without the examination itself. */
export const FETCHING: readonly string[] = ASKING.filter((command) => command !== "doctor");

/** `note` is worth knowing, `warning` may be in the way, `error` stops the commands it affects. */
export type FindingStatus = "ok" | "note" | "warning" | "error";

export interface Finding {
  /** Findings of one group belong together: `Machine`, `Paths`, `Registry nvcr.io`. */
  readonly group: string;
  readonly subject: string;
  readonly status: FindingStatus;
  /** The fact in a few words; the subject need not be repeated. Without secrets. */
  readonly message: string;
  /** What to do about it: a sentence or two. */
  readonly remedy?: string;
  /** The commands of denroot and of enroot that it matters for. */
  readonly affects: readonly string[];
}

/** Makes the findings of one group. */
export class Findings {
  readonly list: Finding[] = [];
  readonly #group: string;

  constructor(group: string) {
    this.#group = group;
  }

  ok(subject: string, affects: readonly string[], message: string): void {
    this.add("ok", subject, affects, message);
  }

  add(
    status: FindingStatus,
    subject: string,
    affects: readonly string[],
    message: string,
    remedy?: string,
  ): void {
    this.list.push({
      group: this.#group,
      subject,
      status,
      message,
      ...(remedy !== undefined && { remedy }),
      affects,
    });
  }
}
