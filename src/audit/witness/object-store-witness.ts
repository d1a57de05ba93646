/**
 * A witness that is a store of objects which are never overwritten: one object per checkpoint, made with
 * `if-none-match: *` (RFC 9110 section 13.1.2). What is there already counts only where it holds the same
 * bytes; other bytes under a size are another story of the same log.
 */
import { ask, failed, isSuccess } from "./asked.ts";
import type { ObjectStoreWitnessOptions } from "./witness-options.ts";
import type { Checkpoint, Witness, WitnessAnswer, WitnessDeps } from "./witness.ts";

export function createObjectStoreWitness(
  options: ObjectStoreWitnessOptions,
  { exchange }: Pick<WitnessDeps, "exchange">,
): Witness {
  const base = new URL(options.url);
  const { name, type } = options;
  const place = base.origin;

  async function compare(checkpoint: Checkpoint, timeoutMs: number): Promise<WitnessAnswer> {
    const url = objectUrl(base, checkpoint.size);
    const { headers } = options;
    const there = await ask(exchange, { url, method: "GET", headers, body: undefined }, timeoutMs);
    if ("outcome" in there) return there;
    if (there.status !== 200) {
      return failed(place, there.status, "asked for the checkpoint that is said to be there");
    }
    if (there.body.equals(Buffer.from(checkpoint.note))) {
      return { outcome: "witnessed", status: 412, cosignatures: [] };
    }
    const detail = `${place}: holds another checkpoint of size ${checkpoint.size}`;
    return { outcome: "forked", detail };
  }

  return {
    name,
    type,
    place,
    async send(checkpoint, { timeoutMs }) {
      const url = objectUrl(base, checkpoint.size);
      const headers = {
        ...options.headers,
        "content-type": "text/plain; charset=utf-8",
        "if-none-match": "*",
      };
      const put = { url, method: "PUT", headers, body: checkpoint.note } as const;
      const answer = await ask(exchange, put, timeoutMs);
      if ("outcome" in answer) return answer;
      const { status } = answer;
      if (status === 412) return await compare(checkpoint, timeoutMs);
      // Two writers at once, as some stores say it: the next try finds out.
      if (status === 409) return { outcome: "unreachable", detail: `${place}: answered 409` };
      if (!isSuccess(status)) return failed(place, status);
      return { outcome: "witnessed", status, cosignatures: [] };
    },
  };
}

/** The query stays: stores take their signatures there. */
function objectUrl(base: URL, size: number): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${size}`;
  return url;
}
