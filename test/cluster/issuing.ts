/**
 * Callers that get keys, use them, and have some of them taken away, whatever dies meanwhile; and what may not
 * have happened to a key: issued and on no record, or good after it was revoked.
 */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { admin } from "./admin.ts";
import { CLIENT, type Cluster } from "./harness.ts";
import { type Answered, call } from "./load.ts";
import type { Scope } from "./machine.ts";

const LIMITS = {
  /** Milliseconds between two keys, two uses of revoked ones, two attempts to revoke. */
  pause: 30,
  /** Milliseconds for one answer before it is given up. */
  answer: 20_000,
  /** Keys of a burst. */
  burst: 8,
  /** Of so many keys one is revoked. */
  revokedOf: 4,
} as const;

export interface IssuedKey {
  /** `jti`. */
  readonly id: string;
  readonly token: string;
  /** When its revocation was answered with success. */
  revokedMs: number | undefined;
}

export interface Issuing {
  /** All that a caller ever got. */
  readonly keys: readonly IssuedKey[];
  /** Requests for keys, as answers. */
  readonly asked: readonly Answered[];
  /** First uses of keys, before any of them is revoked. */
  readonly uses: readonly Answered[];
  /** Uses of keys that are revoked, by key. */
  readonly abuses: readonly { readonly key: IssuedKey; readonly answer: Answered }[];
  /** Revocations that were not done yet, and asked for again. */
  readonly unrevoked: number;
  /** Asks one authority for several at once, and settles with the first: the moment to kill it. */
  burst(authority: number): Promise<void>;
  stop(): Promise<void>;
}

export function startIssuing(scope: Scope, cluster: Cluster): Issuing {
  const callers = new Callers(cluster);
  scope.after(() => callers.stop());
  return callers;
}

class Callers implements Issuing {
  readonly keys: IssuedKey[] = [];
  readonly asked: Answered[] = [];
  readonly uses: Answered[] = [];
  readonly abuses: { readonly key: IssuedKey; readonly answer: Answered }[] = [];
  unrevoked = 0;
  readonly #cluster: Cluster;
  readonly #all: Promise<unknown>;
  readonly #bursts: Promise<unknown>[] = [];
  #going = true;
  #turn = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    const each = cluster.authorities.map((_, index) => this.#again(() => this.#getOne(index)));
    this.#all = Promise.all([...each, this.#again(() => this.#abuse())]);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all([this.#all, ...this.#bursts]);
  }

  async burst(authority: number): Promise<void> {
    const asked = Array.from({ length: LIMITS.burst }, () => this.#ask(authority));
    const got = asked.map(async (one) => (await one) ?? Promise.reject(new Error("no key")));
    this.#bursts.push(...asked);
    await Promise.any(got);
  }

  async #again(act: () => Promise<void>): Promise<void> {
    while (this.#going) {
      await act();
      await wait(LIMITS.pause);
    }
  }

  async #getOne(authority: number): Promise<void> {
    const key = await this.#ask(authority);
    if (key === undefined) return;
    this.uses.push(await this.#use(key));
    if (this.keys.length % LIMITS.revokedOf === 0) await this.#revoke(key);
  }

  async #ask(authority: number): Promise<IssuedKey | undefined> {
    const endpoint = this.#cluster.authorities[authority]?.tokenEndpoint ?? "";
    const { answer, token } = await askForKey(endpoint);
    this.asked.push(answer);
    if (token === undefined) return undefined;
    const key: IssuedKey = { id: idOf(token), token, revokedMs: undefined };
    this.keys.push(key);
    return key;
  }

  /** Asked again, of the next authority, until somebody says that it is done. */
  async #revoke(key: IssuedKey): Promise<void> {
    const target = { kind: "id", authenticator: "keys", id: key.id };
    while (this.#going) {
      const authority = this.#next(this.#cluster.authorities);
      const body = { target, mode: "revoke" };
      const asked = { method: "POST", path: "/v1/revocations", body };
      const answer = await admin(authority, asked);
      if (answer.status === 201) {
        key.revokedMs = Date.now();
        return;
      }
      assert.ok(
        answer.status === 0 || answer.status === 503,
        `a revocation was answered ${answer.status} ${answer.body}`,
      );
      this.unrevoked += 1;
      await wait(LIMITS.pause);
    }
  }

  async #abuse(): Promise<void> {
    const revoked = this.keys.filter(({ revokedMs }) => revokedMs !== undefined);
    const key = revoked.at(this.#turn % 2 === 0 ? -1 : this.#turn % revoked.length);
    if (key === undefined) return;
    this.abuses.push({ key, answer: await this.#use(key) });
  }

  #use({ id, token }: IssuedKey): Promise<Answered> {
    const { edge } = this.#next(this.#cluster.proxies);
    return call(edge, `/orders/key/${id}`, { token });
  }

  #next<T>(all: readonly T[]): T {
    const one = all[this.#turn++ % all.length];
    if (one === undefined) throw new TypeError("there is none");
    return one;
  }
}

async function askForKey(
  endpoint: string,
): Promise<{ readonly answer: Answered; readonly token: string | undefined }> {
  const askedMs = Date.now();
  const settle = (status: number, reason?: string) => ({
    target: endpoint,
    path: "token",
    askedMs,
    answeredMs: Date.now(),
    status,
    reason,
  });
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64")}`,
        connection: "close",
      },
      body: new URLSearchParams({ grant_type: "client_credentials", audience: "orders" }),
      signal: AbortSignal.timeout(LIMITS.answer),
    });
    const { access_token: token, error } = (await response.json()) as Record<string, string>;
    return { answer: settle(response.status, error), token };
  } catch (error) {
    return { answer: settle(0, String(error)), token: undefined };
  }
}

function idOf(token: string): string {
  const claims = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  return (JSON.parse(claims) as { readonly jti: string }).jti;
}

/** Whatever died: each key that somebody got is on the record of an authority, with its permit. */
export function assertRecorded(cluster: Cluster, { keys }: Issuing): void {
  const recorded = new Set(
    cluster.authorities
      .flatMap((authority) => authority.records())
      .filter(({ decision }) => decision === "permit")
      .map(({ key }) => (key as { readonly id?: string } | undefined)?.id),
  );
  assert.ok(keys.length > 30, `${keys.length} keys were issued`);
  assert.deepEqual(
    keys.filter(({ id }) => !recorded.has(id)).map(({ id }) => id),
    [],
    "a key was issued and is on no record",
  );
}

/** By what callers got, and by the records of the proxies: no revoked key is good past the bound. */
export function assertTakenAway(cluster: Cluster, { keys, abuses }: Issuing): void {
  const late = abuses.filter(({ key, answer }) => {
    return answer.status === 200 && answer.askedMs > boundOf(cluster, key);
  });
  assert.deepEqual(late, [], "a revoked key was good past the bound");
  assert.ok(
    abuses.filter(({ answer }) => answer.reason === "credential-revoked").length > 20,
    "revoked keys were tried",
  );
  const byPath = new Map(keys.map((key) => [`/orders/key/${key.id}`, key]));
  for (const proxy of cluster.proxies) {
    const permits = proxy.records().filter((record) => {
      const key = byPath.get(String(record["path"]));
      if (key === undefined || record["decision"] !== "permit") return false;
      return Date.parse(String(record["time"])) > boundOf(cluster, key);
    });
    assert.deepEqual(permits, [], `${proxy.name} permitted a revoked key past the bound`);
  }
}

function boundOf({ maxStalenessMs }: Cluster, { revokedMs }: IssuedKey): number {
  return revokedMs === undefined ? Infinity : revokedMs + maxStalenessMs;
}
