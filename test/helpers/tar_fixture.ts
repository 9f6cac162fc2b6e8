/** An independent little tar writer: makes every sound and every broken archive that tests need. */

type Bytes = string | Uint8Array;

/** One member; fields that are left out get plain values. */
export interface TarSpec {
  readonly path: Bytes;
  /** The type flag: "0" file, "1" link, "2" symlink, "3" char, "4" block, "5" directory, "6" fifo. */
  readonly flag?: string | undefined;
  readonly content?: Bytes;
  readonly linkPath?: Bytes;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly uname?: string;
  readonly gname?: string;
  readonly mtime?: number;
  readonly device?: readonly [major: number, minor: number];
  /** Written as `SCHILY.xattr.` records. */
  readonly xattrs?: Readonly<Record<string, Bytes>>;
  /** Further PAX records, in this order, as they are. */
  readonly pax?: readonly (readonly [key: string, value: Bytes])[];
  /** How long paths are written: PAX records (the default), or GNU `L` and `K` members. */
  readonly longNames?: "pax" | "gnu";
  /** Fills the ustar prefix field. */
  readonly prefix?: string;
  readonly sparse?: SparseSpec;
  /** Overrides the size field; the body stays as it is. */
  readonly sizeField?: number;
  readonly base256?: boolean;
  readonly checksum?: "bad" | "signed";
  readonly magic?: "ustar" | "gnu" | "v7";
}

export interface SparseSpec {
  readonly format: "gnu" | "0.0" | "0.1" | "1.0";
  readonly size: number;
  readonly chunks: readonly (readonly [offset: number, data: Bytes])[];
}

export interface ArchiveOptions {
  /** The end of the archive; two zero blocks unless set. */
  readonly end?: "two-blocks" | "one-block" | "nothing" | "ten-kilobytes";
}

/** The archive that holds these members; raw bytes among them are taken as they are. */
export function tarArchive(
  members: readonly (TarSpec | Uint8Array)[],
  options: ArchiveOptions = {},
): Buffer {
  const parts = members.map((one) => one instanceof Uint8Array ? one : tarMember(one));
  const body = Buffer.concat(parts);
  const end = options.end ?? "two-blocks";
  if (end === "nothing") return body;
  if (end === "one-block") return Buffer.concat([body, Buffer.alloc(512)]);
  const zeros = end === "two-blocks" ? 1024 : 10240 - (body.length % 10240) + 10240;
  return Buffer.concat([body, Buffer.alloc(zeros)]);
}

export function file(path: Bytes, content: Bytes = "", more: Partial<TarSpec> = {}): TarSpec {
  return { path, flag: "0", content, ...more };
}

export function directory(path: Bytes, more: Partial<TarSpec> = {}): TarSpec {
  return { path, flag: "5", mode: 0o755, ...more };
}

export function symlink(path: Bytes, linkPath: Bytes, more: Partial<TarSpec> = {}): TarSpec {
  return { path, flag: "2", linkPath, mode: 0o777, ...more };
}

export function link(path: Bytes, linkPath: Bytes, more: Partial<TarSpec> = {}): TarSpec {
  return { path, flag: "1", linkPath, ...more };
}

export function node(
  path: Bytes,
  flag: "3" | "4" | "6",
  device: readonly [number, number] = [0, 0],
  more: Partial<TarSpec> = {},
): TarSpec {
  return { path, flag, device, ...more };
}

/** Hides `path` of the layers below. */
export function whiteout(path: string, more: Partial<TarSpec> = {}): TarSpec {
  const slash = path.lastIndexOf("/") + 1;
  return file(`${path.slice(0, slash)}.wh.${path.slice(slash)}`, "", more);
}

/** Hides what the layers below have in `path`. */
export function opaque(path: string, more: Partial<TarSpec> = {}): TarSpec {
  return file(`${path}/.wh..wh..opq`, "", more);
}

/** A PAX global header with these records. */
export function globalHeader(records: readonly (readonly [string, Bytes])[]): Buffer {
  return rawMember({ path: "pax_global_header", flag: "g", content: paxRecords(records) });
}

/** `length key=value\n`, the length counting itself. */
export function paxRecords(records: readonly (readonly [string, Bytes])[]): Buffer {
  return Buffer.concat(records.map(([key, value]) => {
    const rest = Buffer.concat([
      Buffer.from(` ${key}=`, "utf8"),
      toBuffer(value),
      Buffer.from("\n"),
    ]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) {
      length = String(length).length + rest.length;
    }
    return Buffer.concat([Buffer.from(String(length)), rest]);
  }));
}

/** One member: the headers before it that it needs, its own header, its body, padded. */
export function tarMember(spec: TarSpec): Buffer {
  if (spec.sparse !== undefined) return sparseMember(spec, spec.sparse);
  const records: (readonly [string, Bytes])[] = [];
  const parts: Buffer[] = [];
  const path = toBuffer(spec.path);
  const linkPath = toBuffer(spec.linkPath ?? "");
  const gnu = spec.longNames === "gnu";
  if (linkPath.length > 100) {
    if (gnu) parts.push(longName("K", linkPath));
    else records.push(["linkpath", linkPath]);
  }
  if (path.length > 100) {
    if (gnu) parts.push(longName("L", path));
    else records.push(["path", path]);
  }
  for (const [name, value] of Object.entries(spec.xattrs ?? {})) {
    records.push([`SCHILY.xattr.${name}`, value]);
  }
  records.push(...spec.pax ?? []);
  if (records.length > 0) {
    parts.unshift(rawMember({ path: "PaxHeaders/x", flag: "x", content: paxRecords(records) }));
  }
  parts.push(rawMember(spec));
  return Buffer.concat(parts);
}

function longName(flag: "L" | "K", name: Buffer): Buffer {
  return rawMember({
    path: "././@LongLink",
    flag,
    content: Buffer.concat([name, Buffer.alloc(1)]),
    magic: "gnu",
  });
}

/** Just the header block and the padded body; names that are too long are cut. */
function rawMember(spec: TarSpec): Buffer {
  const body = toBuffer(spec.content ?? "");
  const padding = Buffer.alloc((512 - (body.length % 512)) % 512);
  return Buffer.concat([tarHeader(spec, body.length), body, padding]);
}

export function tarHeader(spec: TarSpec, size: number): Buffer {
  const header = Buffer.alloc(512);
  const number = (value: number, offset: number, length: number) =>
    writeNumber(header, value, offset, length, spec.base256 === true);
  toBuffer(spec.path).copy(header, 0, 0, 100);
  number(spec.mode ?? 0o644, 100, 8);
  number(spec.uid ?? 0, 108, 8);
  number(spec.gid ?? 0, 116, 8);
  number(spec.sizeField ?? size, 124, 12);
  number(spec.mtime ?? 1_600_000_000, 136, 12);
  header.write(spec.flag ?? "0", 156, 1, "latin1");
  toBuffer(spec.linkPath ?? "").copy(header, 157, 0, 100);
  const magics = { ustar: "ustar\u000000", gnu: "ustar  \u0000", v7: "" };
  header.write(magics[spec.magic ?? "ustar"], 257, "latin1");
  header.write(spec.uname ?? "", 265, 32, "utf8");
  header.write(spec.gname ?? "", 297, 32, "utf8");
  if (spec.device !== undefined) {
    number(spec.device[0], 329, 8);
    number(spec.device[1], 337, 8);
  }
  if (spec.prefix !== undefined) header.write(spec.prefix, 345, 155, "utf8");
  sealHeader(header, spec.checksum);
  return header;
}

function sealHeader(header: Buffer, kind?: "bad" | "signed"): void {
  header.fill(" ", 148, 156);
  let sum = 0;
  for (let at = 0; at < 512; at++) {
    const byte = header[at]!;
    sum += kind === "signed" && byte > 127 ? byte - 256 : byte;
  }
  if (kind === "bad") sum += 1;
  header.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, "latin1");
}

/** Octal where the value fits; otherwise, or if wanted, base-256 with the top bit set. */
function writeNumber(
  header: Buffer,
  value: number,
  offset: number,
  length: number,
  base256: boolean,
): void {
  const octal = value >= 0 ? Math.floor(value).toString(8) : "";
  if (!base256 && octal !== "" && octal.length < length) {
    header.write(`${octal.padStart(length - 1, "0")}\u0000`, offset, "latin1");
    return;
  }
  let rest = BigInt.asUintN(length * 8, BigInt(Math.floor(value)));
  for (let at = offset + length - 1; at >= offset; at--) {
    header[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  header[offset] = header[offset]! | 0x80;
}

function sparseMember(spec: TarSpec, sparse: SparseSpec): Buffer {
  const chunks = sparse.chunks.map(([offset, data]) => [offset, toBuffer(data)] as const);
  const data = Buffer.concat(chunks.map(([, bytes]) => bytes));
  const plain = { ...spec, flag: "0" };
  delete (plain as { sparse?: unknown }).sparse;
  if (sparse.format === "gnu") return gnuSparse(plain, sparse.size, chunks, data);
  const size = String(sparse.size);
  const map = chunks.flatMap(([offset, bytes]) => [String(offset), String(bytes.length)]);
  const hidden = `./GNUSparseFile.1/${toBuffer(spec.path).toString("latin1")}`;
  if (sparse.format === "0.0") {
    const pairs = chunks.flatMap(([offset, bytes]) => [
      ["GNU.sparse.offset", String(offset)] as const,
      ["GNU.sparse.numbytes", String(bytes.length)] as const,
    ]);
    return tarMember({
      ...plain,
      content: data,
      pax: [["GNU.sparse.size", size], ["GNU.sparse.numblocks", String(chunks.length)], ...pairs],
    });
  }
  if (sparse.format === "0.1") {
    return tarMember({
      ...plain,
      path: hidden,
      content: data,
      pax: [
        ["GNU.sparse.name", spec.path],
        ["GNU.sparse.size", size],
        ["GNU.sparse.numblocks", String(chunks.length)],
        ["GNU.sparse.map", map.join(",")],
      ],
    });
  }
  const table = Buffer.from([String(chunks.length), ...map].map((one) => `${one}\n`).join(""));
  const padding = Buffer.alloc((512 - (table.length % 512)) % 512);
  return tarMember({
    ...plain,
    path: hidden,
    content: Buffer.concat([table, padding, data]),
    pax: [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", spec.path],
      ["GNU.sparse.realsize", size],
    ],
  });
}

/** GNU's old format: type "S", four pairs in the header, twenty-one in each further block. */
function gnuSparse(
  spec: TarSpec,
  size: number,
  chunks: readonly (readonly [number, Buffer])[],
  data: Buffer,
): Buffer {
  const header = tarHeader({ ...spec, flag: "S", magic: "gnu" }, data.length);
  const pairs = chunks.map(([offset, bytes]) => [offset, bytes.length] as const);
  const put = (block: Buffer, at: number, values: readonly (readonly [number, number])[]) =>
    values.forEach(([offset, length], index) => {
      writeNumber(block, offset, at + index * 24, 12, false);
      writeNumber(block, length, at + index * 24 + 12, 12, false);
    });
  put(header, 386, pairs.slice(0, 4));
  header[482] = pairs.length > 4 ? 1 : 0;
  writeNumber(header, size, 483, 12, false);
  sealHeader(header);
  const extensions: Buffer[] = [];
  for (let at = 4; at < pairs.length; at += 21) {
    const block = Buffer.alloc(512);
    put(block, 0, pairs.slice(at, at + 21));
    block[504] = at + 21 < pairs.length ? 1 : 0;
    extensions.push(block);
  }
  const padding = Buffer.alloc((512 - (data.length % 512)) % 512);
  return Buffer.concat([header, ...extensions, data, padding]);
}

/** Strings become UTF-8; other names are given as bytes. */
function toBuffer(bytes: Bytes): Buffer {
  return typeof bytes === "string" ? Buffer.from(bytes, "utf8") : Buffer.from(bytes);
}
