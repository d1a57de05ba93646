/**
 * The recording service of test/e2e, spoken to in HTTP/2: each whole request that came is written down
 * as the HTTP/1.1 that it stands for, so that one judge reads both. What no HTTP/2 request may hold is
 * written down in a way that the judge condemns.
 */
import {
  ordinaryAnswer,
  type RecordedConnection,
  type RecordingService,
  type Script,
} from "../e2e/recording-service.ts";
import { readRequests, readResponses, type StrictRequest } from "../e2e/strict-http1.ts";
import { CODE } from "./codes.ts";
import { rstStreamFrame } from "./frames.ts";
import type { Field } from "./hpack.ts";
import { type Http2Peer, Http2Service, type SeenStream } from "./peer.ts";

const PSEUDO = [":method", ":scheme", ":path", ":authority"];
/** RFC 9113 section 8.2.2: what says something about a connection of HTTP/1.1. */
const FORBIDDEN = /^(?:connection|proxy-connection|keep-alive|transfer-encoding|upgrade|host)$/;

export async function startHttp2RecordingService(): Promise<RecordingService> {
  const service = await Http2Service.start();
  const recorders: Recorder[] = [];
  let script: Script | undefined;
  let stalled = false;
  service.onConnection = (peer) => {
    recorders.push(new Recorder(peer, (request) => (script ?? ordinaryAnswer)(request)));
    if (stalled) peer.stall();
  };
  return {
    address: `127.0.0.1:${service.port}`,
    connections: recorders,
    script: (next) => {
      script = next;
    },
    stall: (next) => {
      stalled = next;
    },
    forget: () => {
      for (let index = recorders.length - 1; index >= 0; index -= 1) {
        if (recorders[index]?.closed === true) recorders.splice(index, 1);
        else recorders[index]?.forget();
      }
    },
    close: () => service[Symbol.asyncDispose](),
  };
}

class Recorder implements RecordedConnection {
  text = "";
  readonly #peer: Http2Peer;
  readonly #answer: Script;
  readonly #written = new Set<number>();

  constructor(peer: Http2Peer, answer: Script) {
    this.#peer = peer;
    this.#answer = answer;
    peer.socket.on("data", () => this.#read());
    peer.socket.on("end", () => peer.socket.end());
  }

  get closed(): boolean {
    return this.#peer.closed;
  }

  forget(): void {
    this.text = "";
  }

  #read(): void {
    for (const [id, stream] of this.#peer.streams) {
      if (!stream.ended || this.#written.has(id)) continue;
      this.#written.add(id);
      const text = writtenAsHttp1(stream);
      this.text += text;
      const [request] = readRequests(text).messages;
      if (request !== undefined) this.#reply(id, request);
    }
  }

  #reply(id: number, request: StrictRequest): void {
    const scripted = this.#answer(request);
    if (scripted === undefined) return;
    const [answer] = readResponses(scripted.bytes, [request.method], true).messages;
    if (answer === undefined) {
      this.#peer.send(rstStreamFrame(id, CODE.internalError));
      return;
    }
    const fields = answer.fields.filter(([name]) => !FORBIDDEN.test(name));
    const whole = answer.body === "";
    this.#peer.headers(id, [[":status", String(answer.status)], ...fields], whole);
    if (!whole) this.#peer.data(id, Buffer.from(answer.body, "latin1"), true);
  }
}

function writtenAsHttp1({ heads, body }: SeenStream): string {
  const [head = [], ...trailers] = heads;
  const fault = faultOf(head) ?? trailers.map(faultOfTrailers).find((one) => one !== undefined);
  if (fault !== undefined) return `${fault}\0\r\n\r\n`;
  const pseudo = new Map(head.filter(([name]) => name.startsWith(":")));
  const fields = head.filter(([name]) => !name.startsWith(":") && name !== "content-length");
  const lines = [
    `${pseudo.get(":method")} ${pseudo.get(":path")} HTTP/1.1`,
    `host: ${pseudo.get(":authority")}`,
    ...fields.map(([name, value]) => `${name}: ${value}`),
  ];
  const text = body.toString("latin1");
  if (trailers.length === 0) {
    return `${[...lines, `content-length: ${text.length}`, "", ""].join("\r\n")}${text}`;
  }
  const chunk = text === "" ? "" : `${text.length.toString(16)}\r\n${text}\r\n`;
  const last = trailers.flat().map(([name, value]) => `${name}: ${value}\r\n`);
  return `${[...lines, "transfer-encoding: chunked", "", ""].join("\r\n")}${chunk}0\r\n${last.join("")}\r\n`;
}

/** Which rule of RFC 9113 section 8 the fields of a request break. */
function faultOf(head: readonly Field[]): string | undefined {
  const names = head.map(([name]) => name);
  const pseudo = names.filter((name) => name.startsWith(":"));
  const expected = names.slice(0, PSEUDO.length).toSorted().join() === PSEUDO.toSorted().join();
  if (!expected || pseudo.length !== PSEUDO.length) return `pseudo-fields ${pseudo.join()}`;
  return faultOfTrailers(head.slice(PSEUDO.length));
}

function faultOfTrailers(fields: readonly Field[]): string | undefined {
  const bad = fields.find(
    ([name, value]) =>
      FORBIDDEN.test(name) || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /^\s|\s$/.test(value),
  );
  return bad === undefined ? undefined : `the field ${bad[0]}`;
}
