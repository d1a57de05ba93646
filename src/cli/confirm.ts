/** Asks whether something that cannot be taken back is meant. A script says so with `--yes`. */
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { AdminCallError } from "./admin-transport.ts";

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean | undefined };
  /** Not where results go. */
  readonly output: Writable;
}

export interface Intent {
  /** Said beforehand: `--yes`. */
  readonly yes: boolean;
  /** What will happen, in whole lines. */
  readonly warning: string;
}

/** Throws AdminCallError where nobody says yes. */
export async function confirm(
  { yes, warning }: Intent,
  { input, output }: Terminal,
): Promise<void> {
  if (yes) return;
  if (input.isTTY !== true) throw new AdminCallError(`${warning}\nTo do that: --yes`);
  const lines = createInterface({ input, output });
  try {
    // The end of input answers nothing: then the interface closes, and that is no yes.
    const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
    const answer = await Promise.race([lines.question(`${warning}\nGo on? yes/no: `), closed]);
    if (answer.trim() !== "yes") throw new AdminCallError("nothing was done");
  } finally {
    lines.close();
  }
}
