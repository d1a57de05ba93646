/**
 * `/.sallyport/backchannel-logout/<name>`: a provider says that a person has logged out there (OpenID Connect
 * Back-Channel Logout 1.0). The token says all and is verified; nothing else of the request counts.
 */
import { readWholeBody, type WholeBody } from "../http/whole-body.ts";
import { getField } from "../wire/fields.ts";
import type { LoginCall, LoginOutcome } from "./login-call.ts";

const LIMITS = {
  /** A logout token has some 1 KB. */
  bodyBytes: 32 * 1024,
} as const;

const FORM = /^application\/x-www-form-urlencoded[ \t]*(?:;|$)/i;

export async function backchannelLogout(call: LoginCall): Promise<LoginOutcome> {
  const { own, exchange, login, deps } = call;
  if (login === undefined) throw new TypeError("a back-channel logout has a name");
  const authenticator = login.name;
  const refuse = (reason: LoginOutcome["reason"], detail: string | undefined): LoginOutcome => ({
    reason,
    detail,
    authenticator,
    // Section 2.8: whatever the reason. What is ours to answer for may be tried again.
    status: reason === "identity-unavailable" || reason === "too-many-failures" ? 503 : 400,
    json: { error: "invalid_request", error_description: reason },
  });
  // Who forges tokens may share the address of the provider, whose own must still come through.
  if (own.budgetSpent && !deps.limits.spentLogout(authenticator)) {
    return refuse("too-many-failures", undefined);
  }
  if (!FORM.test(getField(exchange.head.fields, "content-type") ?? "")) {
    return refuse("invalid-logout-token", "not a form");
  }
  const body = await bodyOf(call);
  if (body.fault !== undefined) return refuse(body.fault, "the form could not be read");
  const given = new URLSearchParams(body.bytes.toString("latin1")).getAll("logout_token");
  const [token] = given;
  if (token === undefined || given.length > 1) {
    return refuse("invalid-logout-token", "not one logout_token");
  }
  const notice = await login.provider.verifyLogoutToken(token);
  if ("fault" in notice) {
    if (notice.fault !== "identity-unavailable") own.charge();
    return refuse(notice.fault, notice.detail);
  }
  const { sid, subject } = notice;
  // Section 2.7: of one session at the provider where it names one, else of the person.
  if (sid !== undefined) await login.sessions.endBySid(sid, own.timeMs);
  else if (subject !== undefined) await login.sessions.endBySubject(subject, own.timeMs);
  const whose = sid === undefined ? "all sessions of a person" : "one session";
  return {
    reason: "logged-out",
    detail: `by the provider of ${login.name}: ${whose}`,
    authenticator,
    status: 200,
    json: {},
  };
}

function bodyOf({ exchange }: LoginCall): Promise<WholeBody> {
  return new Promise((resolve) => {
    readWholeBody(exchange, LIMITS.bodyBytes, resolve);
  });
}
