/**
 * Puts tables into docs/benchmarks.md, each between its own marks; what stands outside them is
 * written by hand and left alone.
 */
import { readFileSync, writeFileSync } from "node:fs";

/** Replaces the named parts of a file. Throws, before anything is written, if a mark is missing. */
export function writeMarkedParts(path: string, parts: ReadonlyMap<string, string>): void {
  let text = readFileSync(path, "utf8");
  for (const [name, content] of parts) text = replaceMarkedPart(text, name, content);
  writeFileSync(path, text);
}

export function replaceMarkedPart(text: string, name: string, content: string): string {
  const open = `<!-- bench:${name} -->`;
  const close = `<!-- /bench:${name} -->`;
  const from = text.indexOf(open);
  const to = text.indexOf(close, from);
  if (from < 0 || to < 0) throw new Error(`the docs have no marks for ${name}`);
  return `${text.slice(0, from + open.length)}\n\n${content}\n\n${text.slice(to)}`;
}
