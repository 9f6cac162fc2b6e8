/** denroot as a library: what its own commands are made of. */

export { importImage, type ImportOptions, type ImportResult } from "./lib/image/import_image.ts";
export { resolveDigest, type ResolveOptions } from "./lib/image/resolve_digest.ts";
export { findMksquashfs, type Mksquashfs } from "./lib/squashfs/find_mksquashfs.ts";
export { parseReference } from "./lib/reference/parse_reference.ts";
export { defaultOutputName, formatReference } from "./lib/reference/format_reference.ts";
export { loadSettings, type SettingEntry, type Settings } from "./lib/config/settings.ts";
export { DenrootError, type ErrorCode } from "./lib/errors.ts";
export { VERSION as version } from "./lib/system/version.ts";
export type * from "./lib/types.ts";
