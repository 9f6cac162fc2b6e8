/** The parts of a terminal that the progress bars use: wrapping, cursor up, clear below, reflow. */

export class Screen {
  #columns: number;
  /** Whole lines as the program wrote them. A terminal keeps them in order to wrap them anew. */
  #lines: string[] = [""];

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): void {
    // deno-lint-ignore no-control-regex
    for (const part of text.split(/(\x1b\[\d*[AJ]|\r|\n)/)) {
      if (part === "\n") this.#lines.push("");
      else if (part.endsWith("A") && part.startsWith("\x1b")) this.#up(Number(part.slice(2, -1)));
      else if (part !== "\r" && part !== "\x1b[J") this.#lines[this.#lines.length - 1] += part;
    }
  }

  /** The rows on the screen, without empty rows at the end. */
  lines(): string[] {
    const rows = this.#lines.flatMap((line) => this.#rowsOf(line));
    while (rows.at(-1) === "") rows.pop();
    return rows;
  }

  resize(columns: number): void {
    this.#columns = columns;
  }

  /** Handles a move up together with the clearing of all rows below, which always follows. */
  #up(rows: number): void {
    let left = rows;
    this.#lines.pop();
    while (left > 0) {
      const line = this.#lines.pop() ?? "";
      left -= this.#rowsOf(line).length;
    }
    if (left < 0) throw new Error("The cursor went up into the middle of a line");
    this.#lines.push("");
  }

  #rowsOf(line: string): string[] {
    const rows: string[] = [];
    for (let start = 0; start === 0 || start < line.length; start += this.#columns) {
      rows.push(line.slice(start, start + this.#columns));
    }
    return rows;
  }
}
