/** The shape of an entry in the table of settings. The table is plain data, which loads nothing. */

export type SettingDefinition = SettingFacts & SettingKind;

interface SettingFacts {
  /** Sentences for people. */
  readonly meaning: string;
  /** The commands that use the setting. */
  readonly commands: readonly string[];
  /** The value, as text, while nobody sets it. Without a default the setting has no value then. */
  readonly default?: string | ComputedDefault;
  /** For people: what holds while a setting without a default is not set. */
  readonly unset?: string;
  /** A few words that `info` shows beside the value. */
  readonly note?: string;
  /** An older name, which counts where the new one is not set. */
  readonly olderName?: string;
  /** A second spelling, which is as good as the name. */
  readonly otherName?: string;
}

/** How a value is read. Numbers and sizes must obey their rule. */
type SettingKind =
  | { readonly kind: "text" }
  /** It becomes absolute. */
  | { readonly kind: "path" }
  /** enroot's words for no mean no, everything else means yes. */
  | { readonly kind: "flag" }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  /** A number from 0 with an optional fraction. It is read as milliseconds. */
  | { readonly kind: "seconds"; readonly max: number }
  /** A number with m, h, d or w. It is read as milliseconds. */
  | { readonly kind: "age" }
  /** More than 0; K, M, G and T stand for powers of 1024. */
  | { readonly kind: "bytes" };

/** A default that depends on the machine. */
interface ComputedDefault {
  /** For people. */
  readonly shown: string;
  readonly compute: (host: SettingHost) => string;
}

export interface SettingHost {
  /** The value of an environment variable that is set and not empty. */
  readonly variable: (name: string) => string | undefined;
  /** The number of processors that the process may use. */
  readonly processors: number;
}

/** A row about a setting or a variable in the manual and in the docs. */
export interface VariableFacts {
  readonly meaning: string;
  readonly commands: readonly string[];
}

/** The commands that ask registries. */
export const FETCHING = [
  "import",
  "run",
  "load",
  "share",
  "copy",
  "sync",
  "verify",
  "inspect",
  "digest",
  "tags",
  "manifests",
  "delete",
  "doctor",
] as const;
/** The commands that make images, and the one that checks whether they can. */
export const PACKING = ["import", "run", "share", "doctor"] as const;
/** The commands that start containers. */
export const STARTING = ["start", "run", "batch"] as const;
