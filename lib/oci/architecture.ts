/** Translates the platform names of people and of `uname -m` to those of Go and the image-spec. */

import { DenrootError } from "../errors.ts";
import type { Platform } from "../types/image.ts";
import { quoteText } from "../text/quote_text.ts";

/**
 * Takes `x86_64`, `aarch64`, `armv7l`, `arm64/v8`, `linux/amd64` and the like; gives `amd64`,
 * `arm64`, `arm` with variant `v7`. An unknown name is given back unchanged, so that a new
 * architecture needs no new denroot. Throws code `usage` for text that cannot be a name.
 */
export function parseArchitecture(text: string): Pick<Platform, "architecture" | "variant"> {
  const words = text.toLowerCase().replace(/^linux\//, "").split("/");
  const [name = "", variant] = words;
  const wellFormed = words.length <= 2 && /^[a-z0-9][a-z0-9_.-]{0,31}$/.test(name) &&
    (variant === undefined || /^[a-z0-9][a-z0-9_.-]{0,31}$/.test(variant));
  if (!wellFormed) {
    throw new DenrootError("usage", `${quoteText(text)} is not an architecture`, {
      hint: "Give a name such as x86_64, amd64, aarch64, arm64, arm/v7 or ppc64le",
    });
  }
  const known = NAMES.get(name) ?? { architecture: name };
  return variant === undefined ? known : { ...known, variant };
}

/**
 * Takes `linux/arm64`, `windows/amd64`, `linux/arm/v7`, or what {@link parseArchitecture} takes, for
 * Linux. Throws code `usage` for text that cannot be a platform.
 */
export function parsePlatform(text: string): Platform {
  const [os = "", ...rest] = text.toLowerCase().split("/");
  const hasSystem = rest.length > 0 && /^[a-z]+$/.test(os) && !/^v\d/.test(rest[0]!);
  return hasSystem
    ? { os, ...parseArchitecture(rest.join("/")) }
    : { os: "linux", ...parseArchitecture(text) };
}

/**
 * Gives the platform of an image with the names of Go: `Linux` and `x86_64` become `linux` and
 * `amd64`, the variant `8` becomes `v8`. Unknown names stay, in lower case.
 */
export function normalizePlatform(platform: Platform): Platform {
  const name = platform.architecture.toLowerCase();
  const known = NAMES.get(name) ?? { architecture: name };
  const variant = platform.variant?.toLowerCase().replace(/^(?=\d)/, "v") || known.variant;
  return {
    ...platform,
    os: platform.os.toLowerCase(),
    architecture: known.architecture,
    ...(variant && { variant }),
  };
}

const NAMES: ReadonlyMap<string, Pick<Platform, "architecture" | "variant">> = new Map([
  ["x86_64", { architecture: "amd64" }],
  ["x86-64", { architecture: "amd64" }],
  ["x64", { architecture: "amd64" }],
  ["i386", { architecture: "386" }],
  ["i486", { architecture: "386" }],
  ["i586", { architecture: "386" }],
  ["i686", { architecture: "386" }],
  ["x86", { architecture: "386" }],
  ["aarch64", { architecture: "arm64" }],
  ["aarch64_be", { architecture: "arm64be" }],
  ["armhf", { architecture: "arm", variant: "v7" }],
  ["armel", { architecture: "arm", variant: "v6" }],
  ["armv5l", { architecture: "arm", variant: "v5" }],
  ["armv5tel", { architecture: "arm", variant: "v5" }],
  ["armv6l", { architecture: "arm", variant: "v6" }],
  ["armv7", { architecture: "arm", variant: "v7" }],
  ["armv7l", { architecture: "arm", variant: "v7" }],
  ["armv8l", { architecture: "arm", variant: "v8" }],
  ["ppc64el", { architecture: "ppc64le" }],
  ["powerpc64le", { architecture: "ppc64le" }],
  ["mipsel", { architecture: "mipsle" }],
  ["mips64el", { architecture: "mips64le" }],
  ["loongarch64", { architecture: "loong64" }],
]);
