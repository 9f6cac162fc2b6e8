/**
 * The one table of settings. Code, `info`, manual pages and docs are made from it. A new setting is
 * an entry here, and a field of `Settings` where code uses it.
 */

import { CONTAINER_SETTINGS } from "./container_settings.ts";
import { NETWORK_SETTINGS } from "./network_settings.ts";
import { PACKING_SETTINGS } from "./packing_settings.ts";
import { PATH_SETTINGS } from "./path_settings.ts";
import { SHARE_SETTINGS } from "./share_settings.ts";
import type { SettingDefinition } from "./setting_definition.ts";

/** All settings by name, in the order in which people see them. */
export const SETTINGS = {
  ...PATH_SETTINGS,
  ...PACKING_SETTINGS,
  ...SHARE_SETTINGS,
  ...CONTAINER_SETTINGS,
  ...NETWORK_SETTINGS,
} as const;

export type SettingName = keyof typeof SETTINGS;

/** The table as a list. */
export const ALL_SETTINGS: ReadonlyArray<readonly [SettingName, SettingDefinition]> = Object
  .entries(SETTINGS) as Array<[SettingName, SettingDefinition]>;

/** What holds while nobody sets a setting, for people; undefined where that is nothing. */
export function shownDefault({ default: value, unset }: SettingDefinition): string | undefined {
  return (typeof value === "object" ? value.shown : value ?? unset) || undefined;
}
