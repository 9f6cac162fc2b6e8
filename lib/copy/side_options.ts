/** What one side of a copy needs beside the settings, so that the two may differ. */

import { DenrootError } from "../errors.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Reference } from "../types/reference.ts";
import type { Side } from "./sides.ts";

/** For a registry only. */
export interface SideOptions {
  /** As `docker://USER@…`: no other user's credentials are taken. */
  readonly user?: string | undefined;
  /** The user's password; without it denroot looks for one, and asks for it on a terminal. */
  readonly password?: string | undefined;
  /** The only file that credentials are read from, in the format of podman and docker. */
  readonly authFile?: string | undefined;
  /** A file with certificates of authorities that are trusted. */
  readonly caFile?: string | undefined;
  /** Whether plain HTTP is allowed. */
  readonly allowHttp?: boolean | undefined;
  /** Whether any certificate will do, and plain HTTP too; HTTPS goes first. */
  readonly acceptsAnyCertificate?: boolean | undefined;
}

/** The reference with the user. Throws code `usage` for options that have no meaning for it. */
export function referenceOf(
  reference: Reference,
  options: SideOptions,
  side: Side,
): Reference {
  const isGiven = Object.values(options).some((value) => value !== undefined && value !== false);
  if (reference.scheme !== "docker") {
    if (isGiven) {
      throw new DenrootError("usage", `The ${side} is no registry: it has no user and no TLS`);
    }
    return reference;
  }
  const user = options.user ?? reference.user;
  if (options.password !== undefined && user === undefined) {
    throw new DenrootError("usage", `The password for the ${side} needs a user`, {
      hint: `Add --${side === "source" ? "src" : "dest"}-user NAME`,
    });
  }
  const { shortName, ...named } = reference;
  // A user belongs to one registry, so that the settings may not choose another one.
  return { ...named, ...(user === undefined ? { shortName } : { user }) };
}

export function contextOf<C extends Omit<SourceContext, "access">>(
  context: C,
  { password, authFile, caFile, allowHttp, acceptsAnyCertificate }: SideOptions,
): C & SourceContext {
  const { settings } = context;
  return {
    ...context,
    access: { password, authFile, acceptsAnyCertificate },
    settings: {
      ...settings,
      allowHttp: allowHttp === true || settings.allowHttp,
      ...(caFile !== undefined && { tls: { caFile } }),
    },
  };
}
