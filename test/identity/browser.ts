/**
 * A browser as far as logins go: cookies by host, the fields of Fetch Metadata, and redirects followed one at a
 * time. `https://api.example` is the proxy of the stage, whatever its address.
 */
import { request, type IncomingHttpHeaders } from "node:http";
import { Jar } from "../session-ground.ts";

export interface Shown {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface VisitOptions {
  readonly method?: "GET" | "POST" | "HEAD" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const LIMITS = {
  /** More than any login here takes. */
  hops: 20,
} as const;

/** What a browser says of itself when a person goes to a page. */
export const NAVIGATION = {
  accept: "text/html,application/xhtml+xml,*/*;q=0.8",
  "sec-fetch-site": "none",
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
} as const;

export class Browser {
  readonly jars: Map<string, Jar>;
  readonly #proxy: string;

  constructor(proxy: string, jars = new Map<string, Jar>()) {
    this.#proxy = proxy;
    this.jars = jars;
  }

  /** Cookies that it has for the proxy. */
  get cookies(): Map<string, string> {
    return this.#jar("api.example").cookies;
  }

  /** One request; what its answer sets is kept. */
  async visit(url: string, options: VisitOptions = {}): Promise<Shown> {
    const { host, pathname, search } = new URL(url);
    const { method = "GET", headers = NAVIGATION, body } = options;
    const jar = this.#jar(host);
    const cookie = jar.header();
    const [address = "", port = ""] = (host === "api.example" ? this.#proxy : host).split(":");
    const shown = await send(
      {
        host: address,
        port,
        method,
        path: pathname + search,
        headers: {
          host,
          ...headers,
          ...(cookie === undefined ? {} : { cookie }),
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
      },
      body,
    );
    jar.take(shown.headers["set-cookie"] ?? []);
    return { ...shown, url };
  }

  /** Goes there and wherever it is sent; every answer on the way, the last one last. */
  async go(url: string, options: VisitOptions = {}): Promise<readonly Shown[]> {
    const trail = [await this.visit(url, options)];
    for (let next = locationOf(trail[0]); next !== undefined; next = locationOf(trail.at(-1))) {
      if (trail.length > LIMITS.hops) throw new Error(`still on its way after ${next}`);
      trail.push(await this.visit(next));
    }
    return trail;
  }

  /** Goes on until it would be sent to an address that begins so, and does not go there. */
  async until(url: string, prefix: string): Promise<string> {
    let next: string | undefined = url;
    for (let hop = 0; hop < LIMITS.hops && next !== undefined; hop++) {
      if (next.startsWith(prefix)) return next;
      next = locationOf(await this.visit(next));
    }
    throw new Error(`never sent to ${prefix}`);
  }

  #jar(host: string): Jar {
    const known = this.jars.get(host) ?? new Jar();
    this.jars.set(host, known);
    return known;
  }
}

export function locationOf(shown: Shown | undefined): string | undefined {
  if (shown === undefined || shown.status < 300 || shown.status >= 400) return undefined;
  const { location } = shown.headers;
  return location === undefined ? undefined : new URL(location, shown.url).href;
}

function send(
  options: Parameters<typeof request>[1] & object,
  body: string | undefined,
): Promise<Omit<Shown, "url">> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks).toString() });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
