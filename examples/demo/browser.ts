/**
 * Does what a browser does, as far as a login needs it: keeps cookies, follows redirects, says that it
 * goes to a page, and fills in the login form once.
 */
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import type { Person } from "./cast.ts";

const LIMITS = {
  /** Redirects of one login; more is a circle. */
  redirects: 12,
} as const;

export interface Page {
  readonly url: URL;
  /** 0 where it stopped before asking for the page. */
  readonly status: number;
  readonly fields: IncomingMessage["headers"];
  readonly body: string;
}

export class Browser {
  readonly #person: Person;
  /** By host and port, then by name. */
  readonly #cookies = new Map<string, Map<string, string>>();

  constructor(person: Person) {
    this.#person = person;
  }

  /** Goes there, and wherever it is sent; ends at the first page that is no login form, or before `until`. */
  async open(start: URL, until?: string): Promise<Page> {
    let url = start;
    let form: URLSearchParams | undefined;
    for (let step = 0; step < LIMITS.redirects; step += 1) {
      if (until !== undefined && url.href.startsWith(until)) {
        return { url, status: 0, fields: {}, body: "" };
      }
      const { status, fields, body } = await this.#ask(url, form);
      if (fields.location !== undefined) {
        url = new URL(fields.location, url);
        form = undefined;
      } else if (form === undefined && status === 200 && body.includes('name="password"')) {
        form = new URLSearchParams({ login: this.#person.id, password: this.#person.password });
      } else {
        return { url, status, fields, body };
      }
    }
    throw new Error(`the login of ${this.#person.id} goes round in circles`);
  }

  /** By hand: `fetch` lets nobody say that it goes to a page. */
  async #ask(url: URL, form: URLSearchParams | undefined): Promise<Omit<Page, "url">> {
    const cookies = this.#cookies.get(url.host) ?? new Map<string, string>();
    this.#cookies.set(url.host, cookies);
    const answer = await send(url, form?.toString(), {
      accept: "text/html",
      cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
    });
    keepCookies(cookies, answer.headers["set-cookie"] ?? []);
    return {
      status: answer.statusCode ?? 0,
      fields: answer.headers,
      body: await text(answer),
    };
  }
}

function send(
  url: URL,
  form: string | undefined,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const posted = {
    origin: url.origin,
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: form === undefined ? "GET" : "POST",
      headers: { ...headers, ...(form === undefined ? {} : posted) },
      agent: false,
    });
    outgoing.on("response", resolve);
    outgoing.on("error", reject);
    outgoing.end(form);
  });
}

function keepCookies(cookies: Map<string, string>, received: readonly string[]): void {
  for (const line of received) {
    const pair = /^([^=;]+)=([^;]*)/.exec(line);
    if (pair === null) continue;
    const [, name = "", value = ""] = pair;
    if (value === "" || /;\s*max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, value);
  }
}
