/** Decides what a container executes at last. Pure, but for the container's files that it reads. */

import { isAbsolute, posix } from "node:path";
import { parseCommandScript } from "../../enroot/parse_command_script.ts";
import type { PlannedCommand } from "../../types/container.ts";
import { directCommand } from "./direct_command.ts";
import { type LoginFacts, planLogin, type PlannedLogin } from "./plan_login.ts";
import { shellScript } from "./shell_script.ts";

export interface CommandFacts extends LoginFacts {
  /** The shell is a login shell, which reads the image's profile. */
  readonly loginShell: boolean;
  /** The command and its arguments, as the user gave them. */
  readonly command: readonly string[];
  /** The path in the container of the command script that the user gives. */
  readonly rc?: string | undefined;
  readonly workdir?: string | undefined;
}

const SHELL = "/bin/sh";
const SCRIPT = "/etc/rc";
/** The command script of the first enroot. In later images it is only a part of one. */
const OLD_SCRIPT = "/etc/rc.local";

/**
 * As enroot: a shell runs the command script with the command as its arguments; without a script, it
 * runs the command; without a command, it is interactive. Where the container has no shell, the
 * program is executed directly.
 *
 * Throws code `unsupported` where only a shell could run what is asked for.
 */
export function planCommand(facts: CommandFacts): PlannedCommand {
  const login = facts.loginShell ? planLogin(facts) : undefined;
  const variables = new Map(facts.variables);
  for (const { name, value } of login?.environment ?? []) variables.set(name, value);
  const state = {
    environment: login?.environment ?? [],
    directory: facts.workdir ?? ((login && variables.get("HOME")) || "/"),
    directoryIsOptional: facts.workdir === undefined,
    ...(login?.umask !== undefined && { umask: login.umask }),
    ...(login?.fileSizeLimitBytes !== undefined && {
      fileSizeLimitBytes: login.fileSizeLimitBytes,
    }),
    refusesLogins: login?.refusal !== undefined,
  };
  if (login?.refusal !== undefined) {
    return { ...state, path: SHELL, argv: [], message: login.refusal };
  }
  const rc = scriptOf(facts);
  const shell = shellOf(facts, variables, login);
  if (shell === undefined) {
    return { ...state, ...directCommand({ ...facts, variables, rc, directory: state.directory }) };
  }
  const words = shellWords(facts, { shell, rc, directory: state.directory });
  return {
    ...state,
    path: shell,
    argv: words,
    ...(words.length === 1 && login?.greeting !== undefined && { message: login.greeting }),
  };
}

function scriptOf({ rc, files }: CommandFacts): string | undefined {
  if (rc !== undefined) return rc;
  if (files.exists(SCRIPT)) return SCRIPT;
  const isScript = /^\s*exec .*"\$@"/m.test(files.text(OLD_SCRIPT) ?? "");
  return isScript ? OLD_SCRIPT : undefined;
}

function shellOf(
  { files }: CommandFacts,
  variables: ReadonlyMap<string, string>,
  login: PlannedLogin | undefined,
): string | undefined {
  return [login?.fakeShell, variables.get("SHELL"), SHELL]
    .find((path) => path !== undefined && isAbsolute(path) && files.isExecutable(path));
}

interface ShellPlace {
  readonly shell: string;
  readonly rc: string | undefined;
  readonly directory: string;
}

/** The shell's argv: a dash before its name makes it a login shell. */
function shellWords(facts: CommandFacts, { shell, rc, directory }: ShellPlace): string[] {
  const { command, files, loginShell } = facts;
  const name = posix.basename(shell);
  const script = shellScript({
    name,
    path: loginShell ? facts.variables.get("PATH") : undefined,
    // The scripts of enroot and denroot enter the image's directory; the user wants another one.
    staysHere: facts.workdir !== undefined && rc !== undefined &&
      parseCommandScript(files.text(rc) ?? "") !== undefined,
  });
  const first = loginShell ? `-${name}` : name;
  if (rc !== undefined) return [first, ...script.source(rc, command)];
  const [program, ...args] = command;
  if (program === undefined) return [first];
  if (program.includes(" ")) return [first, ...script.evaluate(program, name, args)];
  const path = posix.resolve(directory, program);
  return !files.exists(path) || files.isExecutable(path)
    ? [first, ...script.evaluate('exec "$@"', name, command)]
    : [first, ...script.source(program, args)];
}
