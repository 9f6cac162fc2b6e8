/** What a token allows: actions on repositories (distribution's token scope). */

export type Action = "pull" | "push" | "delete" | "*";

export interface Scope {
  /** Without one it is that of a repository. The list of repositories belongs to the registry. */
  readonly type?: "registry";
  readonly repository: string;
  readonly actions: readonly Action[];
}

/** What reads the list of repositories. */
export const CATALOG_SCOPE: Scope = { type: "registry", repository: "catalog", actions: ["*"] };

/**
 * The scopes to ask a token service for: those that are `wanted`, whatever else the challenge names,
 * because the registry gets to see the token. The order stays: some services look at the first alone.
 *
 * One action is taken from the challenge: Azure's registry lists tags for `metadata_read` only.
 */
export function scopesToAsk(wanted: readonly Scope[], challenged: string): readonly string[] {
  const offered = challenged.split(/\s+/);
  return wanted.map(({ type = "repository", repository, actions }) => {
    const name = `${type}:${repository}:`;
    const isMetadata = actions.includes("pull") &&
      offered.some((scope) =>
        scope.startsWith(name) && scope.slice(name.length).split(",").includes(METADATA)
      );
    return name + [...(isMetadata ? [METADATA] : []), ...actions].join(",");
  });
}

const METADATA = "metadata_read";
