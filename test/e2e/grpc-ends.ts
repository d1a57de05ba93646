/** Both ends of gRPC calls, played by hand: what they say and hear, frame by frame. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { Http2Peer, requestHead, type Seen } from "../../src/http/http2/peer.fixture.ts";
import type { Fields } from "../../src/model/http.ts";
import { PREFACE } from "../../src/wire/http2/codes.ts";
import { getField } from "../../src/wire/fields.ts";

/** A call as the service sees it, with which it can answer. */
export interface ServiceCall {
  readonly peer: Http2Peer;
  readonly id: number;
  readonly fields: Fields;
  /** Sends the head of an answer. */
  begin(): void;
  message(text: string): void;
  /** Ends the answer with trailers; without `begin` before it they are the whole answer. */
  end(fields: Fields): void;
}

export interface GrpcService {
  readonly port: number;
  /** The next call that comes, on whichever connection. */
  next(): Promise<ServiceCall>;
  /** How many calls have come. */
  readonly count: number;
  /** How many of them nobody has asked for. */
  readonly waiting: number;
  close(): void;
}

const TYPE = ["content-type", "application/grpc"];

export async function startGrpcService(): Promise<GrpcService> {
  const calls: ServiceCall[] = [];
  const peers: Http2Peer[] = [];
  let taken = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    // The proxy sends its preface and its first frames in one write.
    socket.once("data", (first: Buffer) => {
      if (!first.subarray(0, PREFACE.length).equals(PREFACE)) throw new Error("no preface");
      const peer = new ServicePeer(socket, (id, fields) => {
        calls.push(serviceCall(peer, id, fields));
      });
      peers.push(peer);
      peer.writer.settings([]);
      peer.flush();
      socket.emit("data", first.subarray(PREFACE.length));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get count() {
      return calls.length;
    },
    get waiting() {
      return calls.length - taken;
    },
    async next() {
      for (;;) {
        const call = calls[taken];
        if (call !== undefined) {
          taken += 1;
          return call;
        }
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
    },
    close: () => {
      for (const { socket } of peers) socket.destroy();
      server.close();
    },
  };
}

class ServicePeer extends Http2Peer {
  readonly #called: (id: number, fields: Fields) => void;

  constructor(
    socket: ConstructorParameters<typeof Http2Peer>[0],
    called: (id: number, fields: Fields) => void,
  ) {
    super(socket, "server");
    this.#called = called;
  }

  override headers(id: number, block: Buffer, end: boolean): void {
    super.headers(id, block, end);
    const seen = this.seen.at(-1);
    if (seen?.type === "headers" && getField(seen.fields, ":path") !== undefined) {
      this.#called(id, seen.fields);
    }
  }
}

function serviceCall(peer: Http2Peer, id: number, fields: Fields): ServiceCall {
  let begun = false;
  return {
    peer,
    id,
    fields,
    begin() {
      begun = true;
      peer.section(id, [":status", "200", ...TYPE], false);
    },
    message: (text) => peer.send(id, message(text)),
    end(trailers) {
      peer.section(id, begun ? trailers : [":status", "200", ...TYPE, ...trailers], true);
    },
  };
}

/** A caller on a connection of its own. */
export class GrpcCaller {
  readonly peer: Http2Peer;
  #next = 1;

  private constructor(peer: Http2Peer) {
    this.peer = peer;
  }

  static async open(address: string): Promise<GrpcCaller> {
    const [host, port] = address.split(":");
    const socket = connect({ host: host ?? "", port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new GrpcCaller(new Http2Peer(socket, "client").start());
  }

  /** Begins a call; `text`: its one message, with which it ends. */
  call(path: string, fields: Fields = [], text?: string): number {
    const id = this.#next;
    this.#next += 2;
    const type = getField(fields, "content-type") === undefined ? TYPE : [];
    const head = requestHead({ ":method": "POST", ":path": path, ":authority": "api.example" }, [
      ...type,
      "te",
      "trailers",
      ...fields,
    ]);
    this.peer.section(id, head, false);
    if (text !== undefined) this.peer.send(id, message(text), true);
    return id;
  }

  /** All that came on a stream, once it has ended or was reset. */
  async ended(id: number): Promise<Seen[]> {
    const ends = (seen: Seen): boolean =>
      (seen.type === "rst" && seen.id === id) ||
      ((seen.type === "headers" || seen.type === "data") && seen.id === id && seen.end);
    while (!this.peer.seen.some(ends)) {
      if (this.peer.closed) throw new Error(`closed: ${JSON.stringify(this.peer.seen)}`);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    return this.peer.seen.filter((seen) => "id" in seen && seen.id === id);
  }

  /** An answer that has begun, once it has ended; throws where it was reset. */
  async answer(id: number): Promise<{ fields: Fields; body: string; trailers: Fields }> {
    const heads: Fields[] = [];
    let body = "";
    let whole = false;
    for (const seen of await this.ended(id)) {
      if (seen.type === "headers") heads.push(seen.fields);
      else if (seen.type === "data") body += seen.bytes.toString("latin1");
      // After the end of its answer a caller may be told to stop sending.
      else if (seen.type === "rst" && !whole) throw new Error(`reset: ${seen.code}`);
      whole ||= (seen.type === "headers" || seen.type === "data") && seen.end;
    }
    const [fields = [], trailers = []] = heads;
    return { fields, body, trailers };
  }

  /** The fields of an answer that is nothing but its head; throws where there is more. */
  async trailersOnly(id: number): Promise<Fields> {
    const came = (await this.ended(id)).filter(({ type }) => type !== "windowUpdate");
    const [head, ...more] = came.filter(({ type }) => type !== "rst");
    if (head?.type !== "headers" || !head.end || more.length > 0) {
      throw new Error(`not trailers-only: ${JSON.stringify(came)}`);
    }
    return head.fields;
  }

  close(): void {
    this.peer.socket.destroy();
  }
}

/** A message in its frame: a flag and its length. */
export function message(text: string): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}
