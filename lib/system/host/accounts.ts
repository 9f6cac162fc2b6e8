/**
 * Users and groups as the C library knows them: also those of LDAP and SSSD, which stand in no file.
 */

import { Buffer } from "node:buffer";
import { loadLibc } from "../libc.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The full name and the like. */
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
}

export interface Accounts {
  /** Undefined where no source knows the user. */
  user(uid: number): Account | undefined;
  /** The group's name; undefined where no source knows the group. */
  group(gid: number): string | undefined;
}

/** A group may have many members, all of which the C library writes down. */
const RECORD_BYTES = 1024 * 1024;
/** The longest text of a record that counts. */
const TEXT_BYTES = 4096;

/** The places of the fields in `struct passwd` on 64-bit Linux; `gr_name` is the first one too. */
const FIELD = { name: 0, uid: 16, gid: 20, comment: 24, home: 32, shell: 40, end: 48 } as const;

const SIGNATURES = {
  getpwuid_r: { args: ["u32", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  getgrgid_r: { args: ["u32", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  strnlen: { args: ["usize", "usize"], result: "isize" },
  memcpy: { args: ["buffer", "usize", "usize"], result: "isize" },
} as const;

/** Loads libc through the running runtime. */
export async function accounts(): Promise<Accounts> {
  const libc = await loadLibc(SIGNATURES);
  const record = new DataView(new ArrayBuffer(FIELD.end));
  const recordBytes = new Uint8Array(record.buffer);
  const texts = new Uint8Array(RECORD_BYTES);
  const found = new BigUint64Array(1);
  const text = (at: number) => {
    const address = Number(record.getBigUint64(at, true));
    if (address === 0) return "";
    const bytes = Buffer.alloc(Number(libc.strnlen(address, TEXT_BYTES)));
    libc.memcpy(bytes, address, bytes.length);
    return bytes.toString("utf8");
  };
  const asks = (call: "getpwuid_r" | "getgrgid_r", id: number) =>
    libc[call](id, recordBytes, texts, texts.length, found) === 0 && found[0] !== 0n;
  return {
    user(uid) {
      if (!asks("getpwuid_r", uid)) return undefined;
      const gid = record.getUint32(FIELD.gid, true);
      const [name, comment, home, shell] = [FIELD.name, FIELD.comment, FIELD.home, FIELD.shell]
        .map(text) as [string, string, string, string];
      return { name, uid, gid, comment, home, shell };
    },
    group: (gid) => asks("getgrgid_r", gid) ? text(FIELD.name) : undefined,
  };
}
