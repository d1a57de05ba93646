/**
 * Claims that say whose hands a token belongs in (`cnf`, RFC 7800) and who acts with it (`act`,
 * RFC 8693 section 4.1).
 *
 * Refuses a `cnf` that is no object, or whose members are not what their specifications say: it might
 * be meant to bind, so it must not pass for none.
 */
import type { Actor, Confirmation } from "../../model/facts.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import type { ClaimFault } from "./claims.ts";

const LIMITS = {
  textChars: 1024,
  /** Actors behind actors; further ones are refused, since a chain that long is no delegation. */
  actors: 8,
} as const;

/** base64url of a SHA-256: 43 characters, the last of which carries four bits. */
const THUMBPRINT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** What the token is bound to; undefined where it is bound to nothing. */
export function readConfirmation(claims: JsonObject): Confirmation | undefined | ClaimFault {
  if (!("cnf" in claims)) return undefined;
  const cnf = claims["cnf"];
  if (!isJsonObject(cnf)) return invalid("cnf", "not an object");
  const { jkt, "x5t#S256": x5t, ...others } = cnf;
  if (jkt !== undefined && !isThumbprint(jkt)) return invalid("cnf.jkt", "not a SHA-256");
  if (x5t !== undefined && !isThumbprint(x5t)) return invalid("cnf.x5t#S256", "not a SHA-256");
  return Object.freeze({
    keyThumbprint: jkt,
    certificateThumbprint: x5t,
    // An empty one binds to what we cannot know.
    other: Object.keys(others).length > 0 || (jkt === undefined && x5t === undefined),
  });
}

/** Who acts; undefined where the subject itself does. */
export function readActor(
  claims: JsonObject,
  authenticator: string,
): Actor | undefined | ClaimFault {
  const act = claims["act"];
  if (act === undefined || act === null) return undefined;
  if (!isJsonObject(act)) return invalid("act", "not an object");
  const subject = act["sub"];
  if (!isText(subject)) return invalid("act.sub", "not a name");
  for (const name of ["iss", "client_id"]) {
    if (act[name] !== undefined && !isText(act[name])) return invalid(`act.${name}`, "not a text");
  }
  const behind: string[] = [];
  for (let inner = act["act"]; inner !== undefined; inner = inner["act"]) {
    if (!isJsonObject(inner) || !isText(inner["sub"])) return invalid("act.act", "not an actor");
    if (behind.length === LIMITS.actors) return invalid("act", "too many actors");
    behind.push(inner["sub"]);
  }
  return Object.freeze({
    authenticator,
    subject,
    issuer: act["iss"] as string | undefined,
    clientId: act["client_id"] as string | undefined,
    behind: Object.freeze(behind),
  });
}

function isThumbprint(value: JsonValue): value is string {
  return typeof value === "string" && THUMBPRINT.test(value);
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === "string" && value !== "" && value.length <= LIMITS.textChars;
}

function invalid(claim: string, rule: string): ClaimFault {
  return { fault: "invalid-claim", detail: `claim ${claim}: ${rule}` };
}
