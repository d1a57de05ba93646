/** Standard output as the target of an access log: a reader that does not keep up loses lines. */
import { openStdout } from "../../platform/stdout.ts";
import { StderrLines } from "../stderr.ts";
import type { AccessTarget } from "./access-file.ts";

/** Bounded in memory; each call's lines are taken as a whole or not at all. */
export function openAccessOutput(out: ReturnType<typeof openStdout> = openStdout()): AccessTarget {
  const lines = new StderrLines(out.write);
  return {
    write(text) {
      const { dropped } = lines;
      lines.write(text);
      return lines.dropped === dropped;
    },
    tick: () => undefined,
    async close() {
      await lines.close();
      out.close?.();
    },
  };
}
