/** What an examination finds. */

/** The commands that contact registries. */
export const FETCHING: readonly string[] = ["import", "inspect", "digest", "tags"];

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
