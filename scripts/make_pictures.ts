/** Makes the pictures of the documentation: a session on a terminal, and a plot of docs/performance.json. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drawPerformance } from "./pictures/performance.ts";
import { drawSession } from "./pictures/session.ts";

const docs = fileURLToPath(new URL("../docs/", import.meta.url));
const figures = JSON.parse(readFileSync(`${docs}performance.json`, "utf8"));

writeFileSync(`${docs}session.svg`, await drawSession());
writeFileSync(`${docs}performance.svg`, drawPerformance(figures));
