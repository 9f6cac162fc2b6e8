/** Finds the settings that a configuration script or a batch file holds in its comments. */

/** A setting in a comment: the line without its first `#`, as enroot.conf would have it. */
export interface Directive {
  /** Lines count from 1. */
  readonly line: number;
  readonly text: string;
}

/** Lines such as `#ENROOT_REMAP_ROOT=y`, also with denroot's own settings; blanks may stand behind the `#`. */
export function parseDirectives(script: string): readonly Directive[] {
  return script.split("\n").flatMap((line, index) =>
    /^#\s*(?:DEN|EN)ROOT_/.test(line) ? [{ line: index + 1, text: line.slice(1) }] : []
  );
}
