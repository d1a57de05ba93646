/** A caller that vanishes, stalls or does not read, at the stage that a test names. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** How a caller leaves. */
export type Leaving = "close" | "reset";

export class RogueCaller {
  readonly #socket: Socket;
  #text = "";
  #closed = false;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("latin1");
      this.#woken();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#closed = true;
      this.#woken();
    });
  }

  static async open(address: string): Promise<RogueCaller> {
    const [host = "", port] = address.split(":");
    const socket = connect({ host, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new RogueCaller(socket);
  }

  /** What came back. */
  get text(): string {
    return this.#text;
  }

  send(bytes: string): void {
    this.#socket.write(bytes, "latin1");
  }

  /** Reads no more. */
  stall(): void {
    this.#socket.pause();
  }

  leave(how: Leaving): void {
    if (how === "reset") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Waits until that has come. */
  async received(part: string): Promise<void> {
    while (!this.#text.includes(part)) {
      if (this.#closed) throw new Error(`closed before ${part}: ${this.#text.slice(0, 200)}`);
      await this.#changed();
    }
  }

  /** Waits until the proxy has closed. */
  async closed(): Promise<void> {
    while (!this.#closed) await this.#changed();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
