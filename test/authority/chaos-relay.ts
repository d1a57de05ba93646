/**
 * A relay that does not what it should: it has a certificate of the authority's CA, as a proxy that was
 * taken over has one, and sends what a test writes. Without a script it passes on what its authority
 * says, as it comes.
 */
import { createServer, type Server } from "node:https";
import { request } from "node:https";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { FEED_MEDIA_TYPE } from "../../src/authority/feed/feed-frames.ts";
import type { FeedGround } from "./feed-ground.ts";

/** Writes one answer to `/feed`. */
export type Script = (response: ServerResponse) => void;

export class ChaosRelay {
  /** One a connection; those that come after the last are served honestly. */
  readonly scripts: Script[] = [];
  /** Targets that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #ground: FeedGround;
  readonly #authority: string;

  private constructor(ground: FeedGround, authority: string) {
    this.#ground = ground;
    this.#authority = authority;
    const { certificatePem: cert, keyPem: key } = ground.identity("relay-1");
    this.#server = createServer({ cert, key, minVersion: "TLSv1.3" }, (asked, response) => {
      this.asked.push(asked.url ?? "");
      const script = asked.url?.startsWith("/feed") ? this.scripts.shift() : undefined;
      response.on("error", () => undefined);
      if (script === undefined) this.#pass(asked.url ?? "", response);
      else {
        response.writeHead(200, { "content-type": FEED_MEDIA_TYPE });
        script(response);
      }
    });
  }

  static async start(ground: FeedGround, authority: string): Promise<ChaosRelay> {
    const relay = new ChaosRelay(ground, authority);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lines, each with its line feed, of a new stream of the authority until this many have come. */
  record(count: number, target = "/feed"): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      const sent = this.#request(target);
      const lines: Buffer[] = [];
      let rest = Buffer.alloc(0);
      sent.on("error", (error) => {
        if (lines.length < count) reject(error);
      });
      sent.on("response", (response) => {
        response.on("error", () => undefined);
        response.on("data", (chunk: Buffer) => {
          rest = Buffer.concat([rest, chunk]);
          for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
            lines.push(Buffer.from(rest.subarray(0, end + 1)));
            rest = rest.subarray(end + 1);
          }
          if (lines.length < count) return;
          sent.destroy();
          resolve(lines.slice(0, count));
        });
      });
      sent.end();
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #request(target: string): ReturnType<typeof request> {
    const { certificatePem: cert, keyPem: key, roots } = this.#ground.identity("relay-1");
    const url = new URL(target, this.#authority);
    return request(url, { cert, key, ca: [...roots], agent: false });
  }

  #pass(target: string, response: ServerResponse): void {
    const sent = this.#request(target);
    sent.on("error", () => response.destroy());
    response.on("close", () => sent.destroy());
    sent.on("response", (answer) => {
      answer.on("error", () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    sent.end();
  }
}
