/**
 * A witness of C2SP tlog-witness: it holds the last checkpoint of this log, asks for a proof that the next
 * one leads on from it, and cosigns what does (C2SP tlog-cosignature). What it answers counts only with a
 * cosignature by the configured key over the very checkpoint that was sent.
 */
import { type NoteKey, parseNote, parseSignatures, readVkey, verifyNote } from "../tree/note.ts";
import { ask, failed } from "./asked.ts";
import type { TlogWitnessOptions } from "./witness-options.ts";
import type { Checkpoint, Witness, WitnessAnswer, WitnessDeps } from "./witness.ts";

const LIMITS = {
  /** Lines of an answer that are looked at: a witness has some keys while it rotates them. */
  lines: 16,
  /** Questions for one checkpoint: what we think it holds, what it says it holds, once more for a race. */
  rounds: 3,
} as const;

export function createTlogWitness(
  options: TlogWitnessOptions,
  { exchange, consistency }: WitnessDeps,
): Witness {
  const url = new URL(options.url);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/add-checkpoint`;
  const place = url.origin;
  const { name, type } = options;
  const key = readVkey(options.key);

  function cosigned({ note }: Checkpoint, status: number, text: string): WitnessAnswer {
    const cosignatures = cosignaturesIn(text, note, key);
    if (cosignatures.length > 0) return { outcome: "witnessed", status, cosignatures };
    const detail = `${place}: the answer has no cosignature by the configured key`;
    return { outcome: "refused", detail };
  }

  return {
    name,
    type,
    place,
    async send(checkpoint, { known, timeoutMs }) {
      let old = Math.min(known, checkpoint.size);
      for (let round = 0; round < LIMITS.rounds; round += 1) {
        const body = await request(checkpoint, old, consistency);
        if (body === undefined) {
          const detail = `no proof from ${old} to ${checkpoint.size} could be made`;
          return { outcome: "refused", detail };
        }
        const headers = { "content-type": "text/plain; charset=utf-8" };
        const answer = await ask(exchange, { url, method: "POST", headers, body }, timeoutMs);
        if ("outcome" in answer) return answer;
        const { status } = answer;
        if (status === 200) return cosigned(checkpoint, status, answer.body.toString("utf8"));
        if (status !== 409) return refusal(place, status);
        const held = sizeHeld(answer.headers["content-type"], answer.body.toString("latin1"));
        if (held === undefined) return failed(place, status, "without a size to go on from");
        const fork = forkBy(held, old, checkpoint.size);
        if (fork !== undefined) return { outcome: "forked", detail: `${place}: ${fork}` };
        old = held;
      }
      const detail = `${place}: holds another checkpoint each time it is asked`;
      return { outcome: "unreachable", detail };
    },
  };
}

/** Of the lines of an answer, those by which the witness signed this very note; each with its line feed. */
function cosignaturesIn(answer: string, note: string, key: NoteKey): string[] {
  const { text } = parseNote(note);
  const isSigned = (line: string): boolean => {
    try {
      const verified = verifyNote({ text, signatures: parseSignatures([line]) }, key);
      return verified !== undefined && verified !== false;
    } catch {
      return false;
    }
  };
  const lines = answer.split("\n").slice(0, LIMITS.lines);
  return lines.filter(isSigned).map((line) => `${line}\n`);
}

/** Undefined where the log cannot prove it. */
async function request(
  { size, note }: Checkpoint,
  old: number,
  consistency: WitnessDeps["consistency"],
): Promise<string | undefined> {
  try {
    const proof = old === 0 || old === size ? [] : await consistency(old, size);
    const lines = proof.map((hash) => `${Buffer.from(hash).toString("base64")}\n`);
    return `old ${old}\n${lines.join("")}\n${note}`;
  } catch {
    return undefined;
  }
}

function refusal(place: string, status: number): WitnessAnswer {
  if (status === 422) {
    const detail = `${place}: the checkpoint does not lead on from the one that it holds`;
    return { outcome: "forked", detail };
  }
  if (status === 404) return failed(place, status, "it does not know this log's origin");
  if (status === 403) return failed(place, status, "it does not know the key of this log");
  return failed(place, status);
}

/** The body of a 409 is the size in decimal and a line feed. */
function sizeHeld(type: string | undefined, text: string): number | undefined {
  if (type?.split(";")[0]?.trim() !== "text/x.tlog.size") return undefined;
  const size = /^(0|[1-9]\d{0,15})\n$/.exec(text)?.[1];
  const number = Number(size ?? Number.NaN);
  return Number.isSafeInteger(number) ? number : undefined;
}

function forkBy(held: number, old: number, size: number): string | undefined {
  // A log never gets shorter: somebody went on from an older state of it.
  if (held > size) return `holds a checkpoint of ${held} records, this log has ${size}`;
  if (held === old && old === size) return `holds another checkpoint of ${size} records`;
  return undefined;
}
