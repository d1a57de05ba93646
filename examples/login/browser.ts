/**
 * As much of a browser as a login needs: cookies by origin, redirects, and forms that a person fills in. Not by
 * `fetch`, which says of itself that it is no navigation.
 */
import { type IncomingHttpHeaders, request } from "node:http";

export interface Shown {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Sent {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const NAVIGATION = {
  accept: "text/html",
  "sec-fetch-site": "none",
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
} as const;

const LIMITS = { hops: 20 } as const;

export class Browser {
  readonly #jars = new Map<string, Map<string, string>>();

  /** Goes there and wherever it is sent. */
  async go(url: string, init: Sent = {}): Promise<Shown> {
    let shown = await this.#visit(url, { ...init, headers: { ...NAVIGATION, ...init.headers } });
    for (let hop = 0; hop < LIMITS.hops; hop++) {
      const { location } = shown.headers;
      if (location === undefined) return shown;
      shown = await this.#visit(new URL(location, shown.url).href, { headers: NAVIGATION });
    }
    throw new Error(`still on its way after ${shown.url}`);
  }

  /** Fills in the form of the page that is shown, and sends it. */
  async send(page: Shown, values: Readonly<Record<string, string>>): Promise<Shown> {
    const form = /<form\b[^>]*>/.exec(page.body)?.[0] ?? "";
    const action = /action="([^"]*)"/.exec(form)?.[1] ?? page.url;
    const fields = new URLSearchParams(hiddenFields(page.body));
    for (const [name, value] of Object.entries(values)) fields.set(name, value);
    const to = new URL(action, page.url);
    return this.go(to.href, {
      method: "POST",
      body: fields.toString(),
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        origin: to.origin,
        "sec-fetch-site": "same-origin",
      },
    });
  }

  /** A script of a page asks. */
  async fetch(url: string): Promise<Shown> {
    const headers = { accept: "application/json", "sec-fetch-mode": "cors" };
    return this.#visit(url, { headers });
  }

  async #visit(url: string, init: Sent): Promise<Shown> {
    const { origin } = new URL(url);
    const jar = this.#jars.get(origin) ?? new Map<string, string>();
    this.#jars.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...init.headers, ...(cookie === "" ? {} : { cookie }) };
    const shown = await sendRequest(url, { ...init, headers });
    for (const line of shown.headers["set-cookie"] ?? []) keep(line, jar);
    return shown;
  }
}

function sendRequest(url: string, { method = "GET", headers = {}, body = "" }: Sent) {
  return new Promise<Shown>((resolve, reject) => {
    const length = body === "" ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const outgoing = request(
      url,
      { method, headers: { ...headers, ...length }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ url, status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function hiddenFields(body: string): [string, string][] {
  return [...body.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
    /name="([^"]*)"/.exec(input)?.[1] ?? "",
    /value="([^"]*)"/.exec(input)?.[1] ?? "",
  ]);
}

function keep(line: string, jar: Map<string, string>): void {
  const [pair = ""] = line.split(";");
  const at = pair.indexOf("=");
  const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
  if (value === "" || /max-age=0\b/i.test(line)) jar.delete(name);
  else jar.set(name, value);
}
