/** The lines of a TOML file's tables and keys, for messages: the parser does not tell them. */

/** The table with the number `index`, from 0, among those with the name `table`. */
interface TableNumber {
  readonly table: string;
  readonly index: number;
}

/**
 * Understands the usual layout: each table's header is on a line of its own, and each key begins a
 * line.
 */
export class TomlLines {
  readonly #lines: readonly string[];
  readonly #headers: readonly { readonly table: string; readonly line: number }[];
  /** Table -> the indexes of its headers in `#headers`. */
  readonly #indexes = new Map<string, number[]>();

  constructor(text: string) {
    this.#lines = text.split("\n");
    this.#headers = this.#lines.flatMap((text, index) => {
      const table = /^\s*\[\[?([^[\]]+)\]\]?/.exec(text)?.[1]?.replace(/[\s"']/g, "");
      return table === undefined ? [] : [{ table, line: index + 1 }];
    });
    for (const [at, { table }] of this.#headers.entries()) {
      const indexes = this.#indexes.get(table);
      if (indexes === undefined) this.#indexes.set(table, [at]);
      else indexes.push(at);
    }
  }

  /**
   * The line of a table's header. With `inside`, the header is searched between that table's header
   * and the next header of the same name. If it is not found: the line of the outer header, or 0.
   */
  header(table: string, index: number, inside?: TableNumber): number {
    if (inside === undefined) {
      const at = this.#indexes.get(table)?.[index];
      return at === undefined ? 0 : this.#headers[at]!.line;
    }
    const start = this.#indexes.get(inside.table)?.[inside.index];
    if (start === undefined) return 0;
    let left = index;
    for (let at = start + 1; at < this.#headers.length; at++) {
      const header = this.#headers[at]!;
      if (header.table === inside.table) break;
      if (header.table === table && left-- === 0) return header.line;
    }
    return this.#headers[start]!.line;
  }

  /** The line of `key` in the table whose header is on line `header`; if not found, that line. */
  key(key: string, header: number): number {
    const end = this.#headers.find(({ line }) => line > header)?.line ?? Infinity;
    const bare = (text: string) => /^\s*["']?([^"'=]*?)["']?\s*=/.exec(text)?.[1];
    const index = this.#lines.findIndex((text, index) =>
      index >= header && index + 1 < end && bare(text) === key
    );
    return index < 0 ? header : index + 1;
  }
}
