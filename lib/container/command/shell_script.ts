/** The words that tell a shell what to run, with what has to happen before. Pure. */

export interface ShellOptions {
  /** The shell's name, which says what it understands. */
  readonly name: string;
  /** The container's PATH, which the image's profile must not take away. */
  readonly path?: string | undefined;
  /** The script's first `cd` is left out. */
  readonly staysHere: boolean;
}

/** The words behind the shell's own name. */
export interface ShellScript {
  /** Runs a script file, with arguments. */
  source(path: string, args: readonly string[]): string[];
  /** Runs a text, with `$0` and arguments. */
  evaluate(text: string, name: string, args: readonly string[]): string[];
}

/** Shells in which the texts below mean what they should. */
const POSIX_SHELLS: ReadonlySet<string> = new Set([
  "sh",
  "ash",
  "bash",
  "dash",
  "ksh",
  "mksh",
  "rbash",
  "zsh",
]);

/**
 * Debian's /etc/profile and others set PATH anew, so that an image's own directories are lost. What a
 * profile has only added to stays as it is.
 */
const KEEP_PATH = 'case ":$PATH:" in *":$1:"*) ;; *) PATH=$1:$PATH ;; esac; export PATH; shift; ';
const STAY_HERE = "cd() { unset -f cd; }; ";

export function shellScript({ name, path, staysHere }: ShellOptions): ShellScript {
  const isPosix = POSIX_SHELLS.has(name);
  const keeps = isPosix && path !== undefined && path !== "";
  const before = (keeps ? KEEP_PATH : "") + (isPosix && staysHere ? STAY_HERE : "");
  const kept = keeps ? [path] : [];
  return {
    source: (file, args) => {
      if (before === "") return [file, ...args];
      // The shell would look for a name without a slash in PATH.
      const place = file.includes("/") ? file : `./${file}`;
      return ["-c", `${before}. "$0"`, place, ...kept, ...args];
    },
    evaluate: (text, zeroth, args) => ["-c", before + text, zeroth, ...kept, ...args],
  };
}
