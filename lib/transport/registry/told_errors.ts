/** What the body of a refusal says: the errors of the specification, or other words. */

import { plainText, quoteText } from "../../text/quote_text.ts";

export interface ToldErrors {
  /** The error codes of the specification. */
  readonly codes: readonly string[];
  /** Safe to show; empty when the body says nothing. */
  readonly told: string;
}

/** The errors in the body as `CODE message`, or the first words of another kind of body. */
export function tellErrors(text: string): ToldErrors {
  try {
    const { errors, details, message } = JSON.parse(text.trim());
    if (Array.isArray(errors)) {
      const told = errors.slice(0, 3).map((error) =>
        [error?.code, error?.message, error?.detail]
          .filter((part) => typeof part === "string" && part !== "").join(" ")
      );
      const codes = errors.map((error) => String(error?.code));
      return { codes, told: plainText(told.filter((part) => part !== "").join("; "), 300) };
    }
    const other = details ?? message;
    return { codes: [], told: typeof other === "string" ? plainText(other, 300) : "" };
  } catch {
    const message = /<Message>([^<]*)<\/Message>/.exec(text)?.[1];
    const words = message ?? (/^\s*</.test(text) ? "" : text.trim());
    return { codes: [], told: words === "" ? "" : quoteText(words, 160) };
  }
}

/** All keys of a body that is a refusal and nothing else. */
const REFUSAL = /^(?:errors?|message|details?|code|status)$/;

/** What a body says that came with status 200 and is a refusal all the same; undefined for others. */
export function tellRefusal(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    const keys = Object.keys(body as object);
    if (Array.isArray(body) || keys.length === 0 || !keys.every((key) => REFUSAL.test(key))) {
      return undefined;
    }
    return tellErrors(text).told;
  } catch {
    return undefined;
  }
}
