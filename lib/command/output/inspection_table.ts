/** An inspected image for people, on a screen of 80 columns. */

import type { HistoryStep, ImageInspection, Platform } from "../../../mod.ts";
import { cutLine, printableLine } from "../../text/printable.ts";
import { formatBytes } from "./units.ts";

const COLUMNS = 80;
/** Docker shows this many digits of a digest, which is enough to tell digests apart. */
const DIGEST_DIGITS = 12;
/** A whole digest just fits after it. */
const LABEL_COLUMNS = 9;

type Row = readonly [label: string, value: string | undefined];

export function inspectionTable(image: ImageInspection): string {
  const { config } = image;
  return [
    ...names(image),
    ...rows([...identity(image), ...sizes(image)], LABEL_COLUMNS),
    ...section("Container", rows(containerRows(image), 13, "  ")),
    ...section("Environment", config.env.map((variable) => cut(`  ${printableLine(variable)}`))),
    ...section("Labels", labelLines(config.labels)),
    ...section("Layers", layerLines(image)),
    ...section("History", historyLines(image)),
  ].join("\n");
}

/** Names are never cut, so that users can copy them. */
function names({ uri, digest, documents }: ImageInspection): string[] {
  const outermost = documents[0]!.digest;
  const line = (label: string, name: string) => label.padEnd(LABEL_COLUMNS) + printableLine(name);
  return [
    line("Image", uri),
    ...(outermost === digest ? [] : [line("Index", outermost)]),
    line("Manifest", digest),
  ];
}

function identity({ offers, config, tags }: ImageInspection): Row[] {
  return [
    ["Platform", platformText(config)],
    ["Offered", offersText(offers.map(({ platform }) => platform))],
    ["Created", dateText(config.created)],
    ["Author", config.author],
    ["Tags", tags?.join(", ")],
  ];
}

function sizes({ layers, sizes }: ImageInspection): Row[] {
  const { stored, local, cached, missing, estimatedImage } = sizes;
  const here = [
    ...(local > 0 ? [`${formatBytes(local)} on this machine`] : []),
    ...(cached > 0 ? [`${formatBytes(cached)} in the cache`] : []),
    ...(missing > 0 ? [`${formatBytes(missing)} to be fetched`] : []),
  ];
  const count = `${layers.length} ${layers.length === 1 ? "layer" : "layers"}`;
  return [
    ["Size", `${formatBytes(stored)} in ${count}: ${here.join(", ")}`],
    ["Import", `writes an image of about ${formatBytes(estimatedImage)}, by the layers' sizes`],
  ];
}

function containerRows({ config }: ImageInspection): Row[] {
  return [
    ["User", config.user],
    ["Directory", config.workingDir],
    ["Entrypoint", words(config.entrypoint)],
    ["Command", words(config.cmd)],
    ["Ports", config.exposedPorts.join(", ")],
    ["Volumes", config.volumes.join(", ")],
    ["Stop signal", config.stopSignal],
  ];
}

function labelLines(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([name, value]) =>
    cut(`  ${printableLine(name)} = ${printableLine(value)}`)
  );
}

/** Each layer with the step that made it. */
function layerLines({ layers, steps }: ImageInspection): string[] {
  const makers = new Map(steps.map((step) => [step.layer, step]));
  const digits = String(layers.length).length;
  return layers.map(({ descriptor, origin }, index) => {
    const step = makers.get(index);
    return cut(`  ${
      [
        String(index + 1).padStart(digits),
        shortDigest(descriptor.digest),
        formatBytes(descriptor.size).padStart(8),
        origin.padEnd("missing".length),
        step === undefined ? "" : stepText(step),
      ].join("  ")
    }`).trimEnd();
  });
}

/** The steps that made no layer. */
function historyLines({ steps }: ImageInspection): string[] {
  return steps.filter(({ layer }) => layer === undefined)
    .map((step) => cut(`  ${stepText(step)}`).trimEnd());
}

/** The step without the shell that builders wrap around every instruction, and with short digests. */
function stepText({ createdBy, comment }: HistoryStep): string {
  const text = createdBy ?? comment ?? "";
  return printableLine(
    text.slice(0, 1000)
      .replace(/\s+/g, " ")
      .replace(/^\/bin\/sh -c #\(nop\) /, "")
      .replace(/^(RUN )?(\|\d+ .*? )?\/bin\/sh -c /, "RUN ")
      .replace(/ # buildkit$/, "")
      .replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, "$1")
      .trim(),
  );
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines];
}

/** The rows that have a value. */
function rows(list: readonly Row[], labelColumns: number, indent = ""): string[] {
  return list.flatMap(([label, value]) =>
    value ? [cut(`${indent}${label.padEnd(labelColumns)}${printableLine(value)}`)] : []
  );
}

export function platformText({ os, architecture, variant }: Partial<Platform>): string {
  return [os || "?", architecture || "?", variant].filter((part) => part !== undefined).join("/");
}

function offersText(platforms: readonly Platform[]): string {
  return [...new Set(platforms.map(platformText))].join(", ");
}

/** To the second, in UTC. Text that is no time stays as it is. */
export function dateText(created: string | undefined): string | undefined {
  const time = created === undefined ? NaN : Date.parse(created);
  if (Number.isNaN(time)) return created;
  return new Date(time).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, DIGEST_DIGITS);
}

/** Words in about the form of a shell, which is easier to read than a JSON list. */
function words(list: readonly string[]): string {
  return list.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word)).join(" ");
}

function cut(line: string): string {
  return cutLine(line, COLUMNS);
}
