/** Accounts and certificates for each of two sides: `--src-user`, `--dest-user` and so on. */

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { DenrootError } from "../errors.ts";
import type { SideOptions } from "../../mod.ts";

export function addSideOptions(command: Command): void {
  for (const [prefix, side] of [["src", "source"], ["dest", "destination"]] as const) {
    command
      .option(
        `--${prefix}-user <USER>`,
        `user at the ${side}'s registry; the password is asked for`,
      )
      .option(`--${prefix}-password-stdin`, `read that user's password from standard input`)
      .option(`--${prefix}-authfile <FILE>`, `read the ${side}'s credentials from this file alone`)
      .option(`--${prefix}-tls-ca <FILE>`, `certificates of authorities to trust at the ${side}`)
      .option(`--${prefix}-http`, `allow plain HTTP at the ${side}`);
  }
}

/** What commander found. */
type GivenOptions = Readonly<Record<string, unknown>>;
type Prefix = "src" | "dest";
type Passwords = { readonly [P in Prefix]?: string | undefined };

/** The options of one side, for the library. */
export function sideOptions(
  prefix: Prefix,
  options: GivenOptions,
  passwords: Passwords,
): SideOptions {
  const text = (name: string) => options[`${prefix}${name}`] as string | undefined;
  return {
    user: text("User"),
    authFile: text("Authfile"),
    caFile: text("TlsCa"),
    allowHttp: options[`${prefix}Http`] === true,
    password: passwords[prefix],
  };
}

/** The first line is the source's password, when both are read. */
export function readPasswords(options: GivenOptions): Passwords {
  const wanted = (["src", "dest"] as const).filter((side) => options[`${side}PasswordStdin`]);
  if (wanted.length === 0) return {};
  const lines = readFileSync(0, "utf8").split(/\r?\n/);
  return Object.fromEntries(wanted.map((side, index) => {
    const password = lines[index];
    if (password) return [side, password];
    throw new DenrootError("usage", `Standard input has no password for --${side}-password-stdin`, {
      hint: "Write each password on a line of its own, the source's first",
    });
  }));
}
