/**
 * A policy file in the form that Cedar's formatter gives it, comments kept. Runs in the throwaway thread,
 * as everything that asks the official engine.
 *
 * Refuses what does not parse, and what would say something else afterwards: each policy is parsed
 * before and after, and every comment has to be there in its order.
 */
import type { Problem } from "../../model/errors.ts";
import {
  officialFormat,
  officialPolicyJson,
  officialTemplateJson,
  type OfficialError,
} from "../official/official-engine.ts";
import type { PolicyFile } from "../policy-source.ts";
import { isTooDeep, TOO_DEEP } from "./policy-depth.ts";
import { createPlaces, offsetOfByte, splitStatements, type Statement } from "./policy-text.ts";

export interface FormatResult {
  /** Undefined where there are problems. */
  readonly text: string | undefined;
  readonly problems: readonly Problem[];
}

/** As `cedar format` has them. */
const FORM = { lineWidth: 80, indentWidth: 2 } as const;

export function formatPolicyFile({ name, text }: PolicyFile): FormatResult {
  const placeOf = createPlaces(text);
  const statements = splitStatements(text);
  // The engine does not survive those.
  const deep = statements.filter(isTooDeep);
  if (deep.length > 0) {
    return refused(deep.map(({ start }) => ({ file: name, ...placeOf(start), ...TOO_DEEP })));
  }
  // The formatter knows no file without a policy.
  if (statements.length === 0) return { text, problems: [] };
  const formatted = officialFormat(text, FORM);
  if (formatted.errors !== undefined) {
    return refused(
      formatted.errors.map((error) => ({
        file: name,
        ...placeOf(offsetOfByte(text, error.startByte ?? 0)),
        ...wordsOf(error),
      })),
    );
  }
  const after = `${formatted.value.trimEnd()}\n`;
  if (meaningOf(text) !== meaningOf(after) || commentsOf(text) !== commentsOf(after)) {
    const message = "formatted, it would not say the same: it was left as it is";
    return refused([{ file: name, message, remedy: "move comments out of expressions" }]);
  }
  return { text: after, problems: [] };
}

function refused(problems: readonly Problem[]): FormatResult {
  return { text: undefined, problems };
}

function wordsOf({ message, help }: OfficialError): Pick<Problem, "message" | "remedy"> {
  return { message, ...(help === undefined ? {} : { remedy: help }) };
}

/** What the official parser reads in each statement, in their order. */
function meaningOf(text: string): string {
  return JSON.stringify(splitStatements(text).map(readStatement));
}

function readStatement({ text, tokens }: Statement): unknown {
  const slot = tokens.some(({ kind }) => kind === "slot");
  const parsed = slot ? officialTemplateJson(text) : officialPolicyJson(text);
  // Integers beyond 2^53 would be rounded on their way through JSON: they are held against each other too.
  const integers = tokens.filter(({ kind }) => kind === "integer").map((token) => token.text);
  return [parsed.value ?? parsed.errors, integers];
}

/** Texts of all comments, in their order; white space at their ends does not count. */
function commentsOf(text: string): string {
  const comments: string[] = [];
  for (const [found] of text.matchAll(COMMENT_OR_STRING)) {
    if (found.startsWith("//")) comments.push(found.trim());
  }
  return comments.join("\n");
}

const COMMENT_OR_STRING = /\/\/[^\n\r]*|"(?:\\[^]|[^"\\])*"/g;
