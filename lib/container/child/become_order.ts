/** The child's side of `startContainer` and `execInContainer`: it becomes what its parent ordered. */

import { readFileSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import type { StartRequest } from "../../types/container.ts";
import { becomeMember, type ExecOptions } from "../exec/become_member.ts";
import { becomeContainer, type BecomeSettings } from "../start/become_container.ts";
import { inheritedState } from "../start/inherited_state.ts";

export type BecomeOrder =
  | { readonly type: "start"; readonly request: StartRequest; readonly settings: BecomeSettings }
  | { readonly type: "exec"; readonly pid: number; readonly options: ExecOptions };

/** `words` has the path of the order. Only returns by throwing {@link DenrootError}. */
export async function becomeOrder(words: readonly string[]): Promise<never> {
  const inherited = inheritedState();
  const order = readOrder(words[0] ?? "");
  if (order.type === "exec") return await becomeMember(String(order.pid), order.options);
  return await becomeContainer({ ...order.request, ...inherited }, order.settings);
}

function readOrder(path: string): BecomeOrder {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new DenrootError("usage", `"become" is denroot's own command: ${messageOf(cause)}`, {
      cause,
      hint: "See denroot start --help",
    });
  }
}
