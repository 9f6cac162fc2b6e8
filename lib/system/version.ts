/** The version of denroot. It stands alone, so that a program that prints it loads nothing else. */

/** The same as in package.json. */
export const VERSION = "0.1.0";

/**
 * The version of enroot whose commands, settings and files denroot has. The command `version` prints it
 * where denroot is installed under the name enroot: scripts and packages compare it with what they need.
 */
export const ENROOT_VERSION = "4.1.2";

/** When this version was released, in seconds since 1970: 2026-11-01. */
export const RELEASED = 1_793_491_200;
