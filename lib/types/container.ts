/** What a container is made of, as plain data. No code. */

/** One line of a mount table: enroot's dialect of fstab(5), with its escapes resolved. */
export interface MountLine {
  /** A path of the host, or a word such as `tmpfs`, `proc` or `none`. */
  readonly source: string;
  /** A path in the container; links on the way are resolved inside the container. */
  readonly target: string;
  /** A file system's name; `none` for binds and changes. */
  readonly type: string;
  /** Words of mount(8) and enroot's own (`x-create=dir`, `nofail`), in the order of the line. */
  readonly options: readonly string[];
  /** -1 before the hooks, 0 after them; a line with another number is never carried out. */
  readonly pass: number;
}

/** A mount, and the place that asks for it: a path, `--mount`, `built in`, a hook's name. */
export interface PlannedMount extends MountLine {
  readonly origin: string;
  /** The source must be a file of the root itself, and of nothing that is mounted in it. */
  readonly onlyOwn?: boolean;
}

/** A variable of the container's environment, and the place that gives its value. */
export interface PlannedVariable {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

/** A program or a function that prepares the container before it starts. */
export interface PlannedHook {
  /** The file name, also of a built-in one: `10-devices.sh`. */
  readonly name: string;
  /** A function of denroot, a program, or `hooks()` of the configuration script. */
  readonly type: "built-in" | "file" | "script";
  /** The program's or the script's path; undefined for a built-in hook. */
  readonly path?: string;
  /** Why it runs, or why it does not: for `denroot hooks`. */
  readonly reason: string;
  /** A hook that does not run is listed all the same. */
  readonly runs: boolean;
}

/** The namespaces that a container has for itself; each has a mount namespace of its own. */
export interface ContainerNamespaces {
  /** Absent for a superuser's container, which keeps the host's users. */
  readonly user?: IdMap;
  readonly pid: boolean;
  readonly net: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
}

/** The one user and the one group that a container has; numbers up to 2^32 - 2. */
export interface IdMap {
  readonly insideUid: number;
  readonly outsideUid: number;
  readonly insideGid: number;
  readonly outsideGid: number;
}

/** Where the root file system comes from. */
export type RootPlace =
  /** A container that was created: an absolute path. */
  | { readonly type: "directory"; readonly path: string }
  /** An image file, which is mounted, or unpacked into a temporary directory. */
  | { readonly type: "image"; readonly path: string; readonly unpack: boolean };

/** What the first stage, on the host, hands to the second one, inside the new namespaces. */
/** The mounts of an image definition, in the form of `--mount`. */
export interface DefinedMounts {
  /** The definition's path, for messages. */
  readonly file: string;
  readonly mounts: readonly string[];
}

export interface StartRequest {
  /** The container's name or the image's path, as the user gave it. */
  readonly name: string;
  readonly root: RootPlace;
  readonly writable: boolean;
  readonly namespaces: ContainerNamespaces;
  /** The plan is printed in this form, and no container starts. */
  readonly dryRun?: "text" | "json";
  readonly settings: StartSettings;
  /** `NAME=VALUE`, or `NAME` for the host's value. */
  readonly environment: readonly string[];
  /** Files of `--env-file`, in their order. */
  readonly environmentFiles: readonly TextFile[];
  /** Mounts in the form of `--mount`. */
  readonly mounts: readonly string[];
  readonly definedMounts?: DefinedMounts;
  /** The path of a configuration script. */
  readonly configScript?: string;
  /** The path of a command script, which may be a FIFO or a descriptor's path. */
  readonly rc?: string;
  readonly command: readonly string[];
  /** The directory in the container in which the command starts. */
  readonly workdir?: string;
  /** The limits of open files that the caller had, as text in the words of proc(5). */
  readonly fileLimit: readonly [soft: string, hard: string];
  /** Numbers of the signals that the caller ignores; a background job ignores Ctrl-C, for example. */
  readonly ignoredSignals: readonly number[];
  /** Open descriptors that the caller handed over, besides the standard ones. The container gets them. */
  readonly descriptors: readonly number[];
}

/** A file that was read, with its path for messages. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** What an image's own /etc/fstab may mount: directories of the image, all, or nothing. */
export type ImageMounts = "own" | "all" | "none";

/** The settings that a start needs. The fields are those of `Settings`. */
export interface StartSettings {
  readonly configPath: string;
  readonly sysconfPath: string;
  readonly dataPath: string;
  readonly runtimePath: string;
  readonly tempPath: string;
  readonly loginShell: boolean;
  readonly mountHome: boolean;
  readonly restrictDev: boolean;
  readonly imageMounts: ImageMounts;
  /** 0 stands for no limit. */
  readonly lockTimeoutMs: number;
}

/** What is executed at last, and the state in which it begins. */
export interface PlannedCommand {
  /** An executable of the container. */
  readonly path: string;
  /** The whole argv. */
  readonly argv: readonly string[];
  /** The current directory. */
  readonly directory: string;
  /** Whether the start goes on in `/` where the directory cannot be entered. */
  readonly directoryIsOptional: boolean;
  /** What a login adds to the environment. */
  readonly environment: readonly PlannedVariable[];
  /** Permission bits that new files lack; the caller's where it is absent. */
  readonly umask?: number;
  /** The limit of a file's size (RLIMIT_FSIZE); the caller's where it is absent. */
  readonly fileSizeLimitBytes?: bigint;
  /** What is printed first. */
  readonly message?: string;
  /** A container that lets nobody in: the message is printed, and nothing runs. */
  readonly refusesLogins: boolean;
}

/** A container, decided: one executor carries it out, and `start --dry-run` prints it. */
export interface ContainerPlan {
  readonly request: StartRequest;
  /** In the order in which they are made: those of pass -1, then, after the hooks, those of pass 0. */
  readonly mounts: readonly PlannedMount[];
  /** Later ones win over earlier ones of the same name. Hooks may add more. */
  readonly environment: readonly PlannedVariable[];
  /** In the order in which they run, with those that do not run. */
  readonly hooks: readonly PlannedHook[];
  /** The command script that the configuration script's `rc()` is. */
  readonly rc?: string;
  /** Sentences about what is left out, for the user. */
  readonly warnings: readonly string[];
}

/**
 * The files of a container's root, reached without ever leaving it: every path is walked inside the
 * root, component by component, and links lead to where they would in the container. Paths are
 * absolute in the container. Only one process at a time may write into a root. Methods throw code
 * `file`, and `space` where a disk is full; the cause's `code` is the system's, such as `EACCES`.
 */
export interface RootedFiles {
  /** The root's path on the host. */
  readonly path: string;
  /** A regular file's content; undefined where there is none. Throws code `limit` for a longer one. */
  read(path: string, limitBytes: number): Uint8Array | undefined;
  /** What is at the path, without following a last link; undefined where nothing is. */
  kind(path: string): "file" | "directory" | "symlink" | "other" | undefined;
  /** The permission bits of what the path leads to; undefined where nothing is. */
  permissions(path: string): number | undefined;
  /** Names in a directory, sorted, without those that are not UTF-8; none where there is no directory. */
  list(path: string): readonly string[];
  readLink(path: string): string | undefined;
  /** Replaces what is at the path, but not a directory, at once. Parents are made with mode 0755. */
  write(path: string, content: Uint8Array, mode: number): void;
  /**
   * Makes an empty file where nothing is, with its parents; the target of a link that leads nowhere
   * is made. What exists is not opened.
   */
  makeFile(path: string, mode: number): void;
  /** Makes a directory in the same way. Throws where something else is. */
  makeDirectory(path: string, mode: number): void;
  /** Replaces what is at the path, but not a directory. */
  makeLink(path: string, target: string): void;
  /** Removes a file or a link; nothing there is no error. */
  remove(path: string): void;
  /**
   * What the path leads to, last links followed, held open: the path below `/proc/self/fd` stays
   * right whatever others do to the root. Undefined where nothing is.
   */
  hold(path: string): HeldFile | undefined;
}

export interface HeldFile extends Disposable {
  /** `/proc/self/fd/N`, fit for mount(2). */
  readonly path: string;
  readonly isDirectory: boolean;
}

/** A hook that denroot has built in; a site's file of the same name replaces it. */
export interface BuiltInHook {
  /** A file name such as `10-devices.sh`. */
  readonly name: string;
  /** What it does: one sentence, for `denroot hooks` and the docs. */
  readonly summary: string;
  /** Ends the sentence "It runs when …". */
  readonly when: string;
  /**
   * Why it has something to do here; undefined when it has nothing to do. `denroot hooks` asks this
   * without a container.
   */
  reason(host: HookHost): string | undefined;
  /** Throws `DenrootError`; the start ends then. */
  run(context: HookContext): void | Promise<void>;
}

/** What a hook sees of the host. */
export interface HookHost {
  /** The environment of the process that starts the container. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly namespaces: ContainerNamespaces;
  readonly settings: StartSettings;
}

/** What a hook may do to the container. */
export interface HookContext extends HookHost {
  readonly root: RootedFiles;
  /** The process that becomes the container, as the host calls it. */
  readonly pid: number;
  /** The container's environment so far, as the files and options give it. */
  readonly variables: ReadonlyMap<string, string>;
  setVariable(name: string, value: string): void;
  /** Makes a mount now. The line's pass has no meaning here. */
  mount(line: MountLine): void;
  /** Makes a mount when all hooks have run, in the order of these calls. */
  mountLater(line: MountLine): void;
  log(level: "info" | "warn", message: string): void;
}
