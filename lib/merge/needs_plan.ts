/** The reasons why a merge by streaming gives up. */

/** Streaming cannot give the exact result: the layers have to be merged with a plan. */
export class NeedsPlan extends Error {
  override readonly name = "NeedsPlan";
}

export function comesTwice(path: string): NeedsPlan {
  return new NeedsPlan(`'${path}' comes twice in one layer`);
}

export function twoThings(path: string): NeedsPlan {
  return new NeedsPlan(`'${path}' is a directory and something else in one layer`);
}
