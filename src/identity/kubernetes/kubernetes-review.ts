/**
 * Asks the API server about a token (TokenReview, `authentication.k8s.io/v1`): whether the pod, service
 * account or secret that it is bound to is still there.
 *
 * Refuses a token that it does not authenticate, an answer that looked at no audience of ours (an API
 * server that knows nothing of audiences would vouch for tokens that are meant for it), and one about
 * somebody else. An answer that is no TokenReview counts as none.
 */
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import type { JsonClient } from "../../model/ports.ts";
import type { Principal } from "../../model/principal.ts";
import type { TokenFault } from "../token-precheck.ts";

export interface ReviewOptions {
  readonly apiServer: string;
  readonly audience: readonly string[];
  readonly timeoutMs: number;
}

const LIMITS = {
  /** The token comes back within it. */
  answerBytes: 128 * 1024,
} as const;

const API_VERSION = "authentication.k8s.io/v1";
const KIND = "TokenReview";
const PATH = `/apis/${API_VERSION}/tokenreviews`;

/** Undefined: the API server vouches for the token as this principal's. Rejects where there is no answer. */
export type TokenReview = (token: string, principal: Principal) => Promise<TokenFault | undefined>;

/** `client` trusts the API server, and shows it our token. */
export function createTokenReview(options: ReviewOptions, client: JsonClient): TokenReview {
  const { apiServer, audience, timeoutMs } = options;
  const url = apiServer.replace(/\/$/, "") + PATH;
  return async (token, principal) => {
    const review = { apiVersion: API_VERSION, kind: KIND, spec: { token, audiences: audience } };
    // 201: it counts as created, though nothing is kept.
    const answer = await client.post(
      url,
      { json: review, accepted: [200, 201] },
      { timeoutMs, maxBytes: LIMITS.answerBytes },
    );
    return judge(readStatus(answer, url), { audience, principal });
  };
}

function readStatus(answer: JsonValue, url: string): JsonObject {
  const members = isJsonObject(answer) ? answer : {};
  const { status } = members;
  const { authenticated } = isJsonObject(status) ? status : {};
  if (
    members["apiVersion"] !== API_VERSION ||
    members["kind"] !== KIND ||
    !isJsonObject(status) ||
    // Left out for false, as Go does it.
    (authenticated !== undefined && typeof authenticated !== "boolean")
  ) {
    throw new SallyportError("fetch-failed", `${url}: the answer is no ${KIND}`);
  }
  return status;
}

function judge(
  status: JsonObject,
  { audience, principal }: { readonly audience: readonly string[]; readonly principal: Principal },
): TokenFault | undefined {
  if (status["authenticated"] !== true) {
    return { fault: "inactive-token", detail: "the API server does not authenticate it" };
  }
  const { audiences } = status;
  const fits = Array.isArray(audiences) && audience.some((one) => audiences.includes(one));
  if (!fits) return { fault: "wrong-audience", detail: "the API server confirms no audience" };
  const { username, uid } = isJsonObject(status["user"]) ? status["user"] : {};
  if (username !== principal.subject || uid !== principal.attributes["serviceAccountUid"]) {
    return { fault: "invalid-claim", detail: "the API server speaks of another service account" };
  }
  return undefined;
}
