/**
 * A witness of C2SP tlog-witness as strict as a real one: it keeps what it holds, checks the log's own
 * signature and the proof by itself (nothing of src/ is in it), and cosigns what leads on. Also the few lines
 * of a log that tests need: a naive tree by the definitions of RFC 9162 section 2.1.
 */
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface NoteKey {
  readonly name: string;
  readonly vkey: string;
  /** Id and whatever else goes before the signature, then the signature. */
  sign(body: string, timeSeconds?: number): string;
}

/** `type` 1: a log's Ed25519; 4: cosignature/v1. */
export function createNoteKey(name: string, type: 1 | 4): NoteKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const typed = Buffer.concat([Buffer.from([type]), raw]);
  const id = sha256(Buffer.from(`${name}\n`), typed).subarray(0, 4);
  return {
    name,
    vkey: `${name}+${id.toString("hex")}+${typed.toString("base64")}`,
    sign(body, timeSeconds = 0) {
      const time = Buffer.alloc(type === 4 ? 8 : 0);
      if (type === 4) time.writeBigUInt64BE(BigInt(timeSeconds));
      const text = type === 4 ? `cosignature/v1\ntime ${timeSeconds}\n${body}` : body;
      const signature = sign(null, Buffer.from(text), privateKey);
      return `\u2014 ${name} ${Buffer.concat([id, time, signature]).toString("base64")}\n`;
    },
  };
}

const sha256 = (...parts: readonly Buffer[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const leaf = (data: string): Buffer => sha256(Buffer.from([0]), Buffer.from(data));
const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.from([1]), left, right);

/** The largest power of two below `n`. */
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

/** MTH. */
export function rootOf(leaves: readonly string[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaf(leaves[0] ?? "");
  const k = split(leaves.length);
  return node(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
}

/** PROOF(m, D). */
export function consistencyOf(leaves: readonly string[], m: number): Buffer[] {
  const sub = (from: number, data: readonly string[], whole: boolean): Buffer[] => {
    const n = data.length;
    if (from === n) return whole ? [] : [rootOf(data)];
    const k = split(n);
    return from <= k
      ? [...sub(from, data.slice(0, k), whole), rootOf(data.slice(k))]
      : [...sub(from - k, data.slice(k), false), rootOf(data.slice(0, k))];
  };
  return m === leaves.length ? [] : sub(m, leaves, true);
}

/** A signed checkpoint over the leaves. */
export function checkpointOf(key: NoteKey, leaves: readonly string[]) {
  const body = `${key.name}\n${leaves.length}\n${rootOf(leaves).toString("base64")}\n`;
  return { size: leaves.length, note: `${body}\n${key.sign(body)}` };
}

/** RFC 9162 section 2.1.4.2. */
function consistent(
  first: { readonly size: number; readonly root: Buffer },
  second: { readonly size: number; readonly root: Buffer },
  given: readonly Buffer[],
): boolean {
  if (first.size === second.size) return given.length === 0 && first.root.equals(second.root);
  if (given.length === 0) return false;
  const isPower = (first.size & (first.size - 1)) === 0;
  const [start = Buffer.alloc(0), ...path] = isPower ? [first.root, ...given] : given;
  let fn = first.size - 1;
  let sn = second.size - 1;
  for (; fn % 2 === 1; fn >>= 1) sn >>= 1;
  let fr = start;
  let sr = start;
  for (const hash of path) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = node(hash, fr);
      sr = node(hash, sr);
      for (; fn % 2 === 0 && fn !== 0; fn >>= 1) sn >>= 1;
    } else {
      sr = node(sr, hash);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn === 0 && fr.equals(first.root) && sr.equals(second.root);
}

export interface WitnessServer {
  readonly url: string;
  readonly vkey: string;
  /** Of the last checkpoint of the log that was cosigned. */
  readonly size: number;
  /** Statuses of all answers, in their order. */
  readonly answers: readonly number[];
  /** Makes what it answers next a failure of its own, until undefined. */
  broken: number | undefined;
  close(): Promise<void>;
}

/** `logKey`: the verifier key of the one log that it knows; undefined: of the first that comes. */
export async function startWitness(name: string, logKey?: string): Promise<WitnessServer> {
  const key = createNoteKey(name, 4);
  const answers: number[] = [];
  let held: { readonly size: number; readonly root: Buffer } = { size: 0, root: sha256() };
  let broken: number | undefined;

  function judge(text: string): { status: number; body: string; type?: string } {
    const match = /^old (0|[1-9]\d*)\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n([^]+)$/.exec(text);
    if (match === null) return { status: 400, body: "not a request\n" };
    const [, old = "", lines = "", note = ""] = match;
    const [, body = ""] = /^([^]*\n)\n(?:\u2014 .+\n)+$/.exec(note) ?? [];
    const parsed = /^(.+)\n(0|[1-9]\d*)\n([A-Za-z0-9+/]{43}=)\n$/.exec(body);
    if (parsed === null) return { status: 400, body: "not a checkpoint\n" };
    const [, origin = "", size = "", root = ""] = parsed;
    if (logKey !== undefined) {
      if (!logKey.startsWith(`${origin}+`)) return { status: 404, body: "no such log\n" };
      if (!isSigned(note, body, logKey)) return { status: 403, body: "not signed\n" };
    }
    const next = { size: Number(size), root: Buffer.from(root, "base64") };
    if (Number(old) > next.size)
      return { status: 400, body: "old is larger than the checkpoint\n" };
    const conflict = { status: 409, body: `${held.size}\n`, type: "text/x.tlog.size" };
    if (Number(old) !== held.size) return conflict;
    if (held.size === next.size && !held.root.equals(next.root)) return conflict;
    const proof = lines
      .split("\n")
      .slice(0, -1)
      .map((line) => Buffer.from(line, "base64"));
    const leadsOn = held.size === 0 ? proof.length === 0 : consistent(held, next, proof);
    if (!leadsOn) return { status: 422, body: "not consistent\n" };
    held = next;
    return { status: 200, body: key.sign(body, 1_764_000_000) };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const isOurs = request.method === "POST" && request.url === "/submit/add-checkpoint";
    const verdict =
      broken !== undefined
        ? { status: broken, body: "" }
        : isOurs
          ? judge(Buffer.concat(chunks).toString("utf8"))
          : { status: 404, body: "" };
    answers.push(verdict.status);
    response.writeHead(verdict.status, { "content-type": verdict.type ?? "text/plain" });
    response.end(verdict.body);
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/submit`,
    vkey: key.vkey,
    answers,
    get size() {
      return held.size;
    },
    get broken() {
      return broken;
    },
    set broken(status) {
      broken = status;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function isSigned(note: string, body: string, vkey: string): boolean {
  // The key itself may have a '+' in it: name, eight digits, key.
  const name = vkey.slice(0, vkey.indexOf("+"));
  const typed = Buffer.from(vkey.slice(name.length + 10), "base64");
  const id = sha256(Buffer.from(`${name}\n`), typed).subarray(0, 4);
  return [...note.matchAll(/^\u2014 (\S+) (\S+)$/gm)].some(([, signer, text = ""]) => {
    const bytes = Buffer.from(text, "base64");
    if (signer !== name || !bytes.subarray(0, 4).equals(id)) return false;
    return verify(null, Buffer.from(body), ed25519(typed.subarray(1)), bytes.subarray(4));
  });
}

function ed25519(raw: Buffer): Parameters<typeof verify>[2] {
  return { key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" };
}
