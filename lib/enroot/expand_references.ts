/** References to variables of the host, in mount tables and environment files: `${NAME}`. */

/** The host's value of a variable; undefined where it is not set. */
export type LookUp = (name: string) => string | undefined;

/**
 * Puts the values in place of the references; a variable that is not set is empty. `$NAME` is no
 * reference, as in enroot.
 */
export function expandReferences(text: string, lookUp: LookUp): string {
  return text.replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
    (_reference, name: string) => lookUp(name) ?? "",
  );
}
