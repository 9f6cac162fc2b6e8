/** Decides what a login does before the command: the container's own files say it. Pure. */

import type { PlannedVariable } from "../../types/container.ts";
import type { ContainerFiles } from "./container_files.ts";
import {
  type Account,
  findAccount,
  findGroup,
  type LoginDefinitions,
  parseDefinitions,
  saysYes,
} from "./login_files.ts";

export interface LoginFacts {
  readonly insideUid: number;
  /** The user on the host. */
  readonly outsideUid: number;
  /** The environment so far. */
  readonly variables: ReadonlyMap<string, string>;
  /** Permission bits that the caller's new files lack. */
  readonly umask: number;
  readonly files: ContainerFiles;
}

export interface PlannedLogin {
  /** What is set because nobody has set it yet. */
  readonly environment: readonly PlannedVariable[];
  readonly umask?: number;
  readonly fileSizeLimitBytes?: bigint;
  /** Shells of login.defs. */
  readonly fakeShell?: string | undefined;
  /** What an interactive shell shows first. */
  readonly greeting?: string | undefined;
  /** The text of a file that keeps users out; it does not keep root out. */
  readonly refusal?: string | undefined;
}

const ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const USER_PATH = "/usr/local/bin:/usr/bin:/bin";
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;
const REFUSING_SHELL = /\/(?:nologin|false)$/;
const LOCALE_NAME = /^(?:LANG|LANGUAGE|LC_[A-Z]+)$/;

/** As enroot's login, which does what login(1) does. Records of logins are not written. */
export function planLogin(facts: LoginFacts): PlannedLogin {
  const { files, insideUid } = facts;
  const definitions = parseDefinitions(files.text("/etc/login.defs") ?? "");
  const refusing = definitions.get("NOLOGINS_FILE") ?? "/etc/nologin";
  if (insideUid !== 0 && files.exists(refusing)) {
    return { environment: [], refusal: files.text(refusing) ?? "" };
  }
  const passwd = files.text("/etc/passwd") ?? "";
  const account = findAccount(passwd, insideUid);
  const environment = loginVariables(facts, passwd, account, definitions);
  const umask = umaskOf(facts, account, definitions);
  const blocks = definitions.get("ULIMIT");
  return {
    environment,
    ...(umask !== undefined && { umask }),
    ...(blocks !== undefined && /^(?:-1|\d{1,12})$/.test(blocks) && {
      fileSizeLimitBytes: blocks === "-1" ? NO_LIMIT : BigInt(blocks) * 512n,
    }),
    fakeShell: definitions.get("FAKE_SHELL"),
    greeting: greetingOf(files, definitions, homeOf(facts, environment)),
  };
}

/** HOME as the command will have it. */
function homeOf({ variables }: LoginFacts, added: readonly PlannedVariable[]): string {
  return variables.get("HOME") ?? added.find(({ name }) => name === "HOME")?.value ?? "";
}

function loginVariables(
  { files, insideUid, outsideUid, variables }: LoginFacts,
  passwd: string,
  account: Account | undefined,
  definitions: LoginDefinitions,
): PlannedVariable[] {
  const added = new Map<string, PlannedVariable>();
  const value = (name: string) => variables.get(name) ?? added.get(name)?.value ?? "";
  const set = (name: string, value: string | undefined, origin: string) => {
    if (value && !variables.has(name) && !added.has(name)) added.set(name, { name, value, origin });
  };
  set("TERM", "dumb", "login");
  set("HOME", account?.home, "/etc/passwd of the image");
  // Accounts of services, whose jobs run here all the same, have a program that refuses to be a shell.
  if (REFUSING_SHELL.test(account?.shell ?? "")) set("SHELL", "/bin/sh", "login");
  set("SHELL", account?.shell, "/etc/passwd of the image");
  set("USER", account?.name, "/etc/passwd of the image");
  set("LOGNAME", findAccount(passwd, outsideUid)?.name, "/etc/passwd of the image");
  const isRoot = insideUid === 0;
  const path = definitions.get(isRoot ? "ENV_SUPATH" : "ENV_PATH")?.replace(/^PATH=/, "");
  set("PATH", path, "/etc/login.defs of the image");
  set("PATH", isRoot ? ROOT_PATH : USER_PATH, "login");
  if (saysYes(definitions, "MAIL_CHECK_ENAB")) {
    const mail = [
      [definitions.get("MAIL_DIR"), value("USER")],
      [value("HOME"), definitions.get("MAIL_FILE")],
      ["/var/mail", value("USER")],
    ].find(([directory, file]) => directory && file);
    set("MAIL", mail?.join("/"), "/etc/login.defs of the image");
  }
  set("TZ", timeZone(files, definitions), "/etc/login.defs of the image");
  for (const [name, value] of parseDefinitions(files.text("/etc/locale.conf") ?? "")) {
    if (LOCALE_NAME.test(name)) set(name, value, "/etc/locale.conf of the image");
  }
  return [...added.values()];
}

/** The definition holds the zone, or the path of a file with it. */
function timeZone(files: ContainerFiles, definitions: LoginDefinitions): string | undefined {
  const defined = definitions.get("ENV_TZ");
  const zone = defined?.startsWith("/") ? files.text(defined)?.split("\n")[0] : defined;
  return zone?.replace(/^TZ=/, "");
}

/** Where each user has a group alone, that group may do what the user may. */
function umaskOf(
  { files, umask: callers }: LoginFacts,
  account: Account | undefined,
  definitions: LoginDefinitions,
): number | undefined {
  const text = definitions.get("UMASK") ?? "";
  const defined = /^0?[0-7]{1,3}$/.test(text) ? parseInt(text, 8) : undefined;
  if (!saysYes(definitions, "USERGROUPS_ENAB") || account === undefined) return defined;
  if (account.uid === 0 || account.uid !== account.gid) return defined;
  if (findGroup(files.text("/etc/group") ?? "", account.gid) !== account.name) return defined;
  const umask = defined ?? callers;
  return (umask & ~0o070) | ((umask >> 3) & 0o070);
}

/** Files of the day's message, unless the user wants no message. */
function greetingOf(
  files: ContainerFiles,
  definitions: LoginDefinitions,
  home: string,
): string | undefined {
  const hush = definitions.get("HUSHLOGIN_FILE");
  if (hush !== undefined && files.exists(hush.startsWith("/") ? hush : `${home}/${hush}`)) {
    return undefined;
  }
  const paths = (definitions.get("MOTD_FILE") ?? "").split(":").filter((path) => path !== "");
  return paths.map((path) => files.text(path) ?? "").join("") || undefined;
}
