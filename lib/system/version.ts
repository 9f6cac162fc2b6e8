/** The version of denroot. It stands alone, so that a program that prints it loads nothing else. */

/** The same as in package.json. */
export const VERSION = "0.1.0";

/** When this version was released, in seconds since 1970: 2026-11-01. */
export const RELEASED = 1_793_491_200;
