/**
 * `/.sallyport/login?return=…`: sends a browser to the provider, or shows which ones the route takes. What a policy
 * asks of the login (step-up) comes along as `acr_values` and `max_age`; who takes that off the address logs in
 * with less, and the policy says the same again. Whoever wrote the address can only add to what the authenticator
 * is configured to ask for: a link with less, or with something else, makes no weaker login.
 */
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { LoginDemands } from "../identity/provider/provider.ts";
import type { StepUp } from "../model/policy.ts";
import type { Endpoint, LoginCall, LoginOutcome } from "./login-call.ts";
import { originOf } from "./login-origin.ts";
import { chooserPage } from "./login-pages.ts";
import { readReturn, type ReturnAddress } from "./login-return.ts";
import { isLoop } from "./login-rounds.ts";
import { keepTransaction, newSecrets } from "./login-transaction.ts";

const LIMITS = {
  acrValues: 16,
  acrChars: 256,
  /** Of all of them together: with the longest return address the cookie of the login stays under 4096 bytes, which browsers keep. */
  acrTextChars: 512,
  /** A year; no login is asked to be older. */
  maxAgeSeconds: 31_536_000,
} as const;

/** Where a browser is sent that has to log in, or to log in again. */
export function loginAddress(returnTo: string | undefined, stepUp: StepUp | undefined): string {
  const query = new URLSearchParams();
  if (returnTo !== undefined) query.set("return", returnTo);
  if (stepUp !== undefined && stepUp.acrValues.length > 0) {
    query.set("acr_values", stepUp.acrValues.join(" "));
  }
  if (stepUp?.maxAgeSeconds !== undefined) query.set("max_age", String(stepUp.maxAgeSeconds));
  const text = query.toString();
  return text === "" ? "/.sallyport/login" : `/.sallyport/login?${text}`;
}

export const startLogin: Endpoint = (call) => {
  const { own, gate, logins } = call;
  const query = new URLSearchParams(own.request.query ?? "");
  const wanted = query.get("return");
  const rules = { router: gate.router, byRoute: logins.byRoute };
  const address = readReturn(wanted ?? "/", own.request.host, rules);
  if (wanted !== null && address === undefined) {
    return { reason: "invalid-return-address", detail: "no path of this host with a login" };
  }
  const ways = address?.logins ?? [...logins.byName.values()];
  const name = query.get("with");
  if (name === null && ways.length > 1) return choose(ways, query);
  const login = name === null ? ways[0] : ways.find((one) => one.name === name);
  if (login === undefined) {
    return { reason: "invalid-return-address", detail: "a login that the route does not take" };
  }
  const demands = readDemands(query, login);
  if (demands === undefined) {
    return { reason: "invalid-return-address", detail: "acr_values or max_age cannot be read" };
  }
  if (demands === "unmeetable") {
    const detail = "none of acr_values is among the acrValues of the authenticator";
    return { reason: "insufficient-login", detail, authenticator: login.name };
  }
  return send(call, { login, demands, address });
};

function choose(ways: readonly LoginAuthenticator[], query: URLSearchParams): LoginOutcome {
  const shown = ways.map(({ name, label }) => {
    const own = new URLSearchParams(query);
    own.set("with", name);
    return { label, href: `/.sallyport/login?${own.toString()}` };
  });
  return {
    reason: "login-begun",
    status: 200,
    detail: "shown which providers there are",
    page: chooserPage(shown),
  };
}

async function send(
  { own, exchange, gate, deps }: LoginCall,
  chosen: {
    readonly login: LoginAuthenticator;
    readonly demands: LoginDemands;
    readonly address: ReturnAddress | undefined;
  },
): Promise<LoginOutcome> {
  const { login, demands, address } = chosen;
  const { fields } = exchange.head;
  const authenticator = login.name;
  if (isLoop(login, fields)) {
    return { reason: "login-loop", detail: "logged in again and again", authenticator };
  }
  const retryMs = deps.limits.begin(own.request.clientAddress);
  if (retryMs !== undefined) {
    const detail = "more logins were begun from this address than one may begin";
    const again = loginAddress(address?.location, demands);
    return { reason: "rate-limited", detail, retryMs, again, authenticator };
  }
  const redirectUri = `${originOf(own.request, gate)}/.sallyport/callback/${login.name}`;
  const request = { ...newSecrets(), ...demands, redirectUri };
  const location = await login.provider.authorizationUrl(request);
  if (typeof location !== "string") {
    const again = loginAddress(address?.location, demands);
    return { reason: location.fault, detail: location.detail, again, authenticator };
  }
  const kept = { ...request, returnTo: address?.location, beganMs: own.timeMs };
  return {
    reason: "login-begun",
    detail: `sent to the provider of ${login.name}`,
    location,
    setCookies: keepTransaction(kept, login, fields),
    authenticator,
  };
}

/**
 * What the configuration asks of each login, and what a policy asks of this one: both have to be met, so of the
 * contexts only those do that are in both. `unmeetable`: no context is.
 */
export function readDemands(
  query: URLSearchParams,
  { options }: LoginAuthenticator,
): LoginDemands | "unmeetable" | undefined {
  const { acrValues: standing = [], maxAge } = options;
  const text = query.get("acr_values") ?? "";
  if (text.length > LIMITS.acrTextChars) return undefined;
  const asked = text.split(" ").filter((one) => one !== "");
  if (asked.length > LIMITS.acrValues || !asked.every((one) => ACR.test(one))) return undefined;
  const maxAgeSeconds = readMaxAge(query, maxAge === undefined ? undefined : maxAge / 1000);
  if (maxAgeSeconds === "unreadable") return undefined;
  if (standing.length === 0 || asked.length === 0) {
    return { acrValues: asked.length === 0 ? standing : asked, maxAgeSeconds };
  }
  const acrValues = asked.filter((one) => standing.includes(one));
  return acrValues.length === 0 ? "unmeetable" : { acrValues, maxAgeSeconds };
}

/** The shorter of both. */
function readMaxAge(
  query: URLSearchParams,
  standing: number | undefined,
): number | "unreadable" | undefined {
  const text = query.get("max_age");
  if (text === null) return standing;
  if (!/^[0-9]{1,8}$/.test(text) || Number(text) > LIMITS.maxAgeSeconds) return "unreadable";
  return Math.min(Number(text), standing ?? Number(text));
}

const ACR = new RegExp(`^[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,${LIMITS.acrChars}}$`);
