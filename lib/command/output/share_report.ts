export async function runList(_: unknown): Promise<string> { return ""; }
export const runStatus = runList;
export const runGc = runList;
