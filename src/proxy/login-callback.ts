/**
 * `/.sallyport/callback/<name>`: a browser comes back from the provider. Its answer counts once, in the browser
 * that began, at the provider that it began with (mix-up: RFC 9700 section 4.4), and what it brings is verified
 * before a session begins, which is always a new one.
 */
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { ProviderTokens } from "../identity/provider/provider.ts";
import type { LoginCall, LoginOutcome } from "./login-call.ts";
import { loggedInPage, onwardPage } from "./login-pages.ts";
import { readReturn } from "./login-return.ts";
import { countRound } from "./login-rounds.ts";
import { loginAddress } from "./login-start.ts";
import {
  dropTransaction,
  findTransaction,
  type LoginTransaction,
  stateDigest,
  TRANSACTION_LIMITS,
} from "./login-transaction.ts";

const SPACE = "login-states";

export async function callback(call: LoginCall): Promise<LoginOutcome> {
  const { own, exchange, login } = call;
  if (login === undefined) throw new TypeError("a callback has a name");
  const authenticator = login.name;
  const query = own.request.query ?? "";
  const states = new URLSearchParams(query).getAll("state");
  const [state = ""] = states;
  const { fields } = exchange.head;
  const transaction =
    states.length === 1 ? findTransaction(state, login, { fields, nowMs: own.timeMs }) : undefined;
  if (transaction === undefined) {
    const detail = "no login under way in this browser has this state";
    const again = `${loginAddress(undefined, undefined)}?with=${encodeURIComponent(authenticator)}`;
    return { reason: "unknown-login", detail, again, authenticator };
  }
  if (own.budgetSpent) return { reason: "too-many-failures", authenticator };
  const setCookies = [dropTransaction(state, login)];
  const again = loginAddress(transaction.returnTo, transaction);
  const refuse = (reason: LoginOutcome["reason"], detail: string): LoginOutcome => ({
    reason,
    detail,
    setCookies,
    again,
    authenticator,
  });
  if (!(await claim(call, state))) return refuse("unknown-login", "its state was used already");
  const tokens = await login.provider.redeem({ ...transaction, query });
  if ("fault" in tokens) {
    // The provider's failure is no fault of the person's.
    if (tokens.fault !== "identity-unavailable") own.charge();
    return refuse(tokens.fault, tokens.detail);
  }
  const begun = await begin(call, { login, tokens, sentMs: transaction.beganMs });
  if ("failure" in begun) return refuse(begun.failure, begun.detail);
  return {
    reason: "logged-in",
    detail: `by ${login.name}`,
    principal: begun.principal,
    setCookies: [...begun.setCookies, ...setCookies, countRound(login, fields)],
    authenticator,
    ...onward(call, login, transaction),
  };
}

/** Once, whichever worker or replica it comes to, as long as its cookie may live. */
async function claim({ deps }: LoginCall, state: string): Promise<boolean> {
  return deps.shared.claim(SPACE, stateDigest(state), TRANSACTION_LIMITS.lifetimeMs);
}

async function begin(
  { own }: LoginCall,
  {
    login,
    tokens,
    sentMs,
  }: {
    readonly login: LoginAuthenticator;
    readonly tokens: ProviderTokens;
    readonly sentMs: number;
  },
) {
  const { claims, idToken, refreshToken, expiresAt } = tokens;
  if (claims === undefined) throw new TypeError("a login without claims");
  const sid = typeof claims["sid"] === "string" ? claims["sid"] : undefined;
  const given = { claims, sid, idToken, refreshToken, expiresAt };
  const { timeMs: nowMs, request, revoked } = own;
  return login.sessions.begin(given, { nowMs, request, sentMs, revoked });
}

/** The address was checked when the login began; routes may have changed since. */
function onward(
  { own, gate, logins }: LoginCall,
  login: LoginAuthenticator,
  { returnTo }: LoginTransaction,
): Pick<LoginOutcome, "location" | "page" | "status"> {
  const rules = { router: gate.router, byRoute: logins.byRoute };
  const address =
    returnTo === undefined ? undefined : readReturn(returnTo, own.request.host, rules);
  if (address === undefined) return { page: loggedInPage(), status: 200 };
  if (login.options.session.cookie.sameSite === "strict") {
    return { page: onwardPage(address.location), status: 200 };
  }
  return { location: address.location };
}
