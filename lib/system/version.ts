/** Which denroot this is. Apart from all else, so that asking for it loads nothing. */

/** The same as in package.json. */
export const VERSION = "0.1.0";
