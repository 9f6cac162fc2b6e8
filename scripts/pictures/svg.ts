/** What the pictures share. */

export const MONOSPACE =
  "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
export const SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, 'DejaVu Sans', sans-serif";

interface Frame {
  readonly width: number;
  readonly height: number;
  /** For those who cannot see the picture. */
  readonly title: string;
}

export function svg({ width, height, title }: Frame, elements: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img">`;
  const lines = [
    // A formatter would move the spaces of a terminal.
    "<!-- deno-fmt-ignore-file: scripts/make_pictures.ts makes this -->",
    head,
    `<title>${escapeText(title)}</title>`,
    ...elements.filter((element) => element !== ""),
    "</svg>",
  ];
  return lines.join("\n") + "\n";
}

export function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
