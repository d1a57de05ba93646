/**
 * What of a policy the official validator's answer depends on. It knows types of entities, not entities:
 * two policies that differ only in the ids of entities, in texts and numbers that they compare with, in
 * patterns and in annotations are valid or not alike. So one of each shape is validated, and stands for the
 * others.
 *
 * Which texts and numbers of a policy are the same counts (`"a" == "b"` is impossible, `"a" == x` is not), so
 * each is numbered by what it is. Actions are entities that the validator knows, and keep their ids. Names of
 * attributes and what extension functions parse stay as they are.
 */
import type { Statement, Token } from "./policy-text.ts";

/** Two statements of one shape: the one is valid exactly if the other is. */
export function shapeOf({ tokens }: Statement): string {
  const numbers = new Map<string, number>();
  let shape = "";
  for (let index = endOfAnnotations(tokens); index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined) break;
    if (token.kind === "string") shape += text(tokens, index, numbers);
    else if (token.kind === "integer") shape += integer(tokens, index, numbers);
    else shape += token.text;
    shape += " ";
  }
  return shape;
}

/** What has no escape and nothing but ASCII: the validator warns of some of the rest. */
const PLAIN = /^"[\x20-\x21\x23-\x5b\x5d-\x7e]*"$/;

function text(tokens: readonly Token[], index: number, numbers: Map<string, number>): string {
  const { text: written } = tokens[index] ?? { text: "" };
  const before = tokens[index - 1]?.text;
  if (before === "like" && PLAIN.test(written)) return "pattern";
  let number = numbers.get(written);
  if (number === undefined) numbers.set(written, (number = numbers.size));
  const isFree = PLAIN.test(written) && (isEntity(tokens, index) || isCompared(tokens, index));
  return `${isFree ? "text" : written}#${String(number)}`;
}

function integer(tokens: readonly Token[], index: number, numbers: Map<string, number>): string {
  // `07` is 7, and is equal to it.
  const value = (tokens[index]?.text ?? "").replace(/^0+(?=.)/, "");
  let number = numbers.get(value);
  if (number === undefined) numbers.set(value, (number = numbers.size));
  return `${isMeasured(tokens, index) ? "number" : value}#${String(number)}`;
}

/** `… == 5`, `… < 5` and the like, with something before that is no number itself. */
function isMeasured(tokens: readonly Token[], index: number): boolean {
  let at = index - 1;
  while ("=<>!".includes(tokens[at]?.text ?? " ")) at -= 1;
  const operator = at < index - 1;
  return operator && (tokens[at]?.kind === "identifier" || tokens[at]?.text === "]");
}

function isEntity(tokens: readonly Token[], index: number): boolean {
  const [colon, other] = [tokens[index - 1]?.text, tokens[index - 2]?.text];
  return colon === ":" && other === ":" && tokens[index - 3]?.text !== "Action";
}

/** `… == "text"`, and nothing behind it that would make it the name of something. */
function isCompared(tokens: readonly Token[], index: number): boolean {
  const [equals, first] = [tokens[index - 1]?.text, tokens[index - 2]?.text];
  const after = tokens[index + 1]?.text ?? "";
  return equals === "=" && (first === "=" || first === "!") && !".[(".includes(after);
}

function endOfAnnotations(tokens: readonly Token[]): number {
  let index = 0;
  while (tokens[index]?.text === "@") {
    index += 2;
    if (tokens[index]?.text === "(") index += 3;
  }
  return index;
}
