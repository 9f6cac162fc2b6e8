/** The options that commands with a source and a destination share. */

import { readFileSync } from "node:fs";
import { InvalidArgumentError, Option } from "commander";
import { DenrootError } from "../errors.ts";
import type { CopyOptions, SideOptions } from "../../mod.ts";
import type { DocumentedCommand } from "./help/documented_command.ts";

/** Adds what each side needs, with the prefix of the side. */
export function addSideOptions(command: DocumentedCommand): DocumentedCommand {
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
  return command;
}

/** The values of these options, as commander gives them. */
interface SideOptionValues {
  readonly [option: string]: unknown;
}

/** Reads the passwords that come on standard input. Throws code `usage` when one is missing. */
export function sidesOf(options: SideOptionValues): Pick<CopyOptions, "source" | "destination"> {
  const passwords = readPasswords(options);
  return {
    source: sideOptions("src", options, passwords),
    destination: sideOptions("dest", options, passwords),
  };
}

type Prefix = "src" | "dest";
type Passwords = { readonly [P in Prefix]?: string | undefined };

function sideOptions(prefix: Prefix, options: SideOptionValues, passwords: Passwords): SideOptions {
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
function readPasswords(options: SideOptionValues): Passwords {
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

/** An option that may be given several times. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, earlier: string[] = []) => {
    if (value === "") throw new InvalidArgumentError("It is empty.");
    return [...earlier, value];
  });
}
