/** What the endpoints of login and logout are given, and what they answer. */
import type { OwnOutcome, OwnRequest } from "../gate/own.ts";
import type { GateRoute, GateSnapshot } from "../gate/snapshot.ts";
import type { Exchange } from "../http/exchange.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { SharedMemory } from "../model/shared-memory.ts";
import type { LoginLimits } from "./login-limits.ts";
import type { Page } from "./login-pages.ts";

/** Who can log in where, by one configuration. */
export interface LoginSnapshot {
  /** Names of the listeners that serve these endpoints. */
  readonly listeners: ReadonlySet<string>;
  readonly byName: ReadonlyMap<string, LoginAuthenticator>;
  /** Of each route with a login, in its order. */
  readonly byRoute: ReadonlyMap<GateRoute, readonly LoginAuthenticator[]>;
}

/** What each endpoint is given. */
export interface LoginCall {
  readonly own: OwnRequest;
  readonly exchange: Exchange;
  readonly gate: GateSnapshot;
  readonly logins: LoginSnapshot;
  readonly deps: { readonly shared: SharedMemory; readonly limits: LoginLimits };
  /** Name at the end of the path; undefined for endpoints without one. */
  readonly login: LoginAuthenticator | undefined;
}

/** What an endpoint answers, once it is on record. */
export interface LoginOutcome extends OwnOutcome {
  /** Left out: the reason's own. */
  readonly status?: number;
  /** Of 429 and 503, in milliseconds; some seconds when left out. */
  readonly retryMs?: number;
  readonly page?: Page;
  readonly location?: string;
  /** What a page tells the next one of itself; nothing, when left out. */
  readonly referrer?: "same-origin";
  readonly setCookies?: readonly string[];
  /** JSON, for those who are no browser. */
  readonly json?: object;
  /** Where a person begins again after a failure. */
  readonly again?: string | undefined;
  /** Who it is about, for the figures. */
  readonly authenticator?: string | undefined;
}

export type Endpoint = (call: LoginCall) => LoginOutcome | Promise<LoginOutcome>;
