/** Parses the files that a login reads: login.defs(5), locale.conf(5), passwd(5), group(5). Pure. */

/** `NAME VALUE` or `NAME=VALUE`; the last one of a name counts. */
export type LoginDefinitions = ReadonlyMap<string, string>;

/** A backslash joins a line with the next one; values end at a blank or a quote. */
export function parseDefinitions(text: string): LoginDefinitions {
  const definitions = new Map<string, string>();
  for (const line of text.replace(/\\\n/g, "").split("\n")) {
    const [, name, value] = /^[ \t]*([^ \t=#]+)[ \t"=]+([^ \t"#]+)/.exec(line) ?? [];
    if (name !== undefined) definitions.set(name, value!);
  }
  return definitions;
}

/** Whether a definition says yes. */
export function saysYes(definitions: LoginDefinitions, name: string): boolean {
  return /^(?:true|yes)$/i.test(definitions.get(name) ?? "");
}

/** A line of passwd(5). */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** The first line with this user id. */
export function findAccount(passwd: string, uid: number): Account | undefined {
  const fields = passwd.split("\n").map((line) => line.split(":"))
    .find((fields) => fields.length >= 7 && Number(fields[2]) === uid && fields[2] !== "");
  if (fields === undefined) return undefined;
  const [name = "", , , gid, , home = "", shell = ""] = fields;
  return { name, uid, gid: Number(gid), home, shell };
}

/** The name of the first group with this id. */
export function findGroup(group: string, gid: number): string | undefined {
  return group.split("\n").map((line) => line.split(":"))
    .find((fields) => fields.length >= 4 && fields[2] !== "" && Number(fields[2]) === gid)?.[0];
}
