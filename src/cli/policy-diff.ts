/** `sallyport policy diff`: says in words what has changed between two sources of policies. */
import { diffBundles, isSame } from "../policy/bundle/diff-bundles.ts";
import { diffText } from "../policy/bundle/diff-text.ts";
import { namedSource } from "./policy-source.ts";

export interface DiffOptions {
  readonly format: "text" | "json";
}

/** 0: they say the same; 1: they do not. Throws ConfigError or SallyportError where one cannot be read. */
export async function policyDiff(
  from: string,
  to: string,
  { format }: DiffOptions,
): Promise<number> {
  const diff = diffBundles(await namedSource(from), await namedSource(to));
  console.log(format === "json" ? JSON.stringify(diff, undefined, 2) : diffText(diff));
  return isSame(diff) ? 0 : 1;
}
