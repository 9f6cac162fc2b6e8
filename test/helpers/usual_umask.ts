/** Gives this test's process, and with it what it starts, the umask that most people have. */

import process from "node:process";

// Many tests make files that other users read, or look at modes.
process.umask(0o022);
