/** Where things stand in a TOML file, for messages: the parser's result does not tell. */

/** The table number `index`, from 0, of those called `table`. */
export interface TableNumber {
  readonly table: string;
  readonly index: number;
}

/**
 * The lines of tables and keys, as people lay such files out: a table's header on a line of its own,
 * each of its keys at the beginning of one.
 */
export class TomlLines {
  readonly #lines: readonly string[];
  readonly #headers: readonly { readonly table: string; readonly line: number }[];
  /** The places of a table's headers in `#headers`. */
  readonly #places = new Map<string, number[]>();

  constructor(text: string) {
    this.#lines = text.split("\n");
    this.#headers = this.#lines.flatMap((text, index) => {
      const table = /^\s*\[\[?([^[\]]+)\]\]?/.exec(text)?.[1]?.replace(/[\s"']/g, "");
      return table === undefined ? [] : [{ table, line: index + 1 }];
    });
    for (const [place, { table }] of this.#headers.entries()) {
      const places = this.#places.get(table);
      if (places === undefined) this.#places.set(table, [place]);
      else places.push(place);
    }
  }

  /**
   * The line of a table's header; with `inside`, of one between that table's header and its next
   * namesake. Where there is none it is the line of the outer header, or 0.
   */
  header(table: string, index: number, inside?: TableNumber): number {
    if (inside === undefined) {
      const place = this.#places.get(table)?.[index];
      return place === undefined ? 0 : this.#headers[place]!.line;
    }
    const start = this.#places.get(inside.table)?.[inside.index];
    if (start === undefined) return 0;
    let left = index;
    for (let place = start + 1; place < this.#headers.length; place++) {
      const header = this.#headers[place]!;
      if (header.table === inside.table) break;
      if (header.table === table && left-- === 0) return header.line;
    }
    return this.#headers[start]!.line;
  }

  /** The line of `key` in the table whose header is at `header`, else the header's; 0 for neither. */
  key(key: string, header: number): number {
    const end = this.#headers.find(({ line }) => line > header)?.line ?? Infinity;
    const bare = (text: string) => /^\s*["']?([^"'=]*?)["']?\s*=/.exec(text)?.[1];
    const index = this.#lines.findIndex((text, index) =>
      index >= header && index + 1 < end && bare(text) === key
    );
    return index < 0 ? header : index + 1;
  }
}
