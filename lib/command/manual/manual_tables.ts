/** Tables for the manual and the docs: settings, files, exit codes. */

import { OTHER_VARIABLES } from "../../config/table/other_variables.ts";
import { ALL_SETTINGS, shownDefault } from "../../config/table/setting_table.ts";

export interface EnvironmentRow {
  readonly name: string;
  /** Sentences. */
  readonly meaning: string;
  /** What holds while the variable is not set; undefined where that is nothing. */
  readonly default?: string;
  /** Whether the default is a value, as it may be written, and not a description. */
  readonly isLiteral?: boolean;
  /** The commands that use it. */
  readonly commands: readonly string[];
}

/** Every setting that `info` shows, then the variables that only the environment can set. */
export const ENVIRONMENT: readonly EnvironmentRow[] = [
  ...ALL_SETTINGS.map(([name, setting]) => ({
    name,
    meaning: setting.meaning,
    default: shownDefault(setting),
    isLiteral: typeof setting.default === "string" || !shownDefault(setting)?.includes(" "),
    commands: setting.commands,
  })),
  ...Object.entries(OTHER_VARIABLES).map(([name, facts]) => ({ name, ...facts })),
];

/** Where a file is, and what it holds. */
export const FILES: ReadonlyArray<readonly [path: string, meaning: string]> = [
  [
    "/etc/enroot/enroot.conf",
    "It holds settings, one NAME VALUE on each line. " +
    "denroot reads the files in enroot.conf.d beside it too.",
  ],
  [
    "~/.config/enroot/.credentials",
    "It holds user names and passwords for registries in the form of netrc. Keep it private: " +
    "chmod 600.",
  ],
  [
    "~/.config/containers/auth.json",
    "podman login writes it. denroot reads it when .credentials has nothing for a registry.",
  ],
  [
    "~/.docker/config.json",
    "docker login writes it. denroot reads it when .credentials has nothing for a registry.",
  ],
  [
    "/etc/containers/registries.conf",
    "It names mirrors, blocked registries, registries without HTTPS, and short names. " +
    "A file of this name in ~/.config/containers wins.",
  ],
  [
    "~/.config/containers/certs.d",
    "It holds certificates for single registries: HOST:PORT/ca.crt, client.cert and client.key.",
  ],
  ["~/.cache/enroot", "It holds the layers of earlier imports. You may remove it at any time."],
];

export const EXIT_CODES: ReadonlyArray<readonly [code: string, meaning: string]> = [
  ["0", "The command succeeded."],
  ["1", "The command failed. Standard error says why, and what to do about it."],
  ["2", "The command line is wrong."],
  ["128+n", "Signal n stopped the command."],
];
