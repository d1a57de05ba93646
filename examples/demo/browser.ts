/**
 * Does what a browser does, as far as a login needs it: keeps cookies, follows redirects, says that it
 * goes to a page, and fills in the login form once.
 */
import type { Person } from "./cast.ts";

const LIMITS = {
  /** Redirects of one login; more is a circle. */
  redirects: 12,
} as const;

export interface Page {
  readonly url: URL;
  /** Undefined where it stopped before asking for the page. */
  readonly response: Response | undefined;
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
        return { url, response: undefined, body: "" };
      }
      const response = await this.#ask(url, form);
      const body = await response.text();
      const location = response.headers.get("location");
      if (location !== null) {
        url = new URL(location, url);
        form = undefined;
      } else if (form === undefined && response.ok && body.includes('name="password"')) {
        form = new URLSearchParams({ login: this.#person.id, password: this.#person.password });
      } else {
        return { url, response, body };
      }
    }
    throw new Error(`the login of ${this.#person.id} goes round in circles`);
  }

  async #ask(url: URL, form: URLSearchParams | undefined): Promise<Response> {
    const cookies = this.#cookies.get(url.host) ?? new Map<string, string>();
    this.#cookies.set(url.host, cookies);
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      headers: {
        accept: "text/html",
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
        ...(form === undefined ? {} : { origin: url.origin, "sec-fetch-site": "same-origin" }),
      },
      redirect: "manual",
      ...(form === undefined ? {} : { body: form }),
    });
    keepCookies(cookies, response.headers.getSetCookie());
    return response;
  }
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
