/** A proxy in front of one HTTP/2 service that the test plays frame by frame. */
import { Loopback, type LoopbackOptions, type RawPeer } from "../loopback.fixture.ts";
import { type RawHttp2, RawHttp2Service } from "./raw-service.fixture.ts";

export const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
export const POST = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
export const OK = [":status", "200", "content-length", "2"];

export class ClientGround implements AsyncDisposable {
  readonly service = new RawHttp2Service();
  readonly #options: LoopbackOptions;
  #proxy: Loopback | undefined;

  constructor(options: LoopbackOptions = {}) {
    this.#options = options;
  }

  async start(): Promise<this> {
    await this.service.listen();
    const endpoints = [`h2c://127.0.0.1:${this.service.port}`];
    const service = { endpoints, ...this.#options.service };
    this.#proxy = await new Loopback({ ...this.#options, service }).start();
    return this;
  }

  get proxy(): Loopback {
    if (this.#proxy === undefined) throw new TypeError("not started");
    return this.#proxy;
  }

  /** A caller that has sent this. */
  async asked(text: string): Promise<RawPeer> {
    const caller = await this.proxy.caller();
    caller.send(text);
    return caller;
  }

  /** A connection that has served one request. */
  async served(): Promise<{ readonly caller: RawPeer; readonly connection: RawHttp2 }> {
    const caller = await this.asked(GET);
    const connection = await this.service.accepted();
    answer(connection, (await connection.request()).id);
    await caller.until("ok");
    return { caller, connection };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.[Symbol.asyncDispose]();
    await this.service[Symbol.asyncDispose]();
  }
}

export function started(options: LoopbackOptions = {}): Promise<ClientGround> {
  return new ClientGround(options).start();
}

export function answer(connection: RawHttp2, id: number): void {
  connection.headers(id, OK);
  connection.data(id, "ok", true);
}
