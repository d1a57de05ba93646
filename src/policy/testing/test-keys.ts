/**
 * What a case says of a key that somebody asks for, as the gate would ask policies. Refused: what could not
 * be asked for (a service that there is not, a key for Anonymous, a path), because a case about it would show
 * nothing.
 */
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { PolicyIssue, PolicyRequest } from "../../model/policy.ts";
import { type Principal, principalId } from "../../model/principal.ts";
import { suggest } from "../../model/suggest.ts";
import type { WrittenRequest } from "./test-format.ts";
import type { TestWorld } from "./test-world.ts";

export interface KeyProblem {
  readonly key: keyof WrittenRequest;
  readonly further: readonly string[];
  readonly message: string;
  readonly remedy: string;
}

interface Given {
  readonly principal: Principal;
  readonly world: TestWorld;
  /** Whether the case says so itself: what the file's defaults say of requests is not meant. */
  readonly isOwn: (key: keyof WrittenRequest) => boolean;
}

type Asked = Pick<
  PolicyRequest,
  "action" | "route" | "path" | "host" | "method" | "params" | "query" | "issue"
>;

export function readKey(written: WrittenRequest, given: Given): Asked | KeyProblem {
  const { world, principal, isOwn } = given;
  const stray = STRAY.find((key) => written[key] !== undefined && isOwn(key));
  if (stray !== undefined) return problem(stray, `a key is asked for without ${stray}`, "none");
  if (principal.kind === "anonymous") {
    return problem("action", "nobody issues a key to Anonymous", "another principal");
  }
  const { service } = written;
  const names = world.vocabulary.services.map(({ name }) => name);
  if (service === undefined) {
    return problem("action", "a key is asked for without a service", `service: ${names[0] ?? "…"}`);
  }
  if (!names.includes(service)) {
    const close = suggest(service, names);
    const remedy =
      close === undefined ? `one of ${names.join(", ") || "none"}` : `did you mean "${close}"?`;
    return problem("service", `there is no service "${service}"`, remedy);
  }
  const issue = issueOf(written, { ...given, service });
  if ("message" in issue) return issue;
  return { ...TOKEN_REQUEST, action: ISSUE_KEY_ACTION, issue };
}

export function isKeyProblem(read: Asked | KeyProblem): read is KeyProblem {
  return "message" in read;
}

/** What only requests to routes have, and what policies do not see where a key is asked for. */
const STRAY = [
  "route",
  "url",
  "host",
  "path",
  "params",
  "method",
  "query",
  "headers",
  "body",
  "rpc",
] as const satisfies readonly (keyof WrittenRequest)[];

/** Nothing of it is seen. */
const TOKEN_REQUEST = {
  route: "",
  path: "/",
  host: "",
  method: "POST",
  params: {},
  query: undefined,
} as const;

function issueOf(
  { key: written = {} }: WrittenRequest,
  { principal, world, service }: Given & { readonly service: string },
): PolicyIssue | KeyProblem {
  const {
    lifetime = 300,
    binding = "none",
    grant = "client-credentials",
    as = "subject",
    narrowed = false,
    client = principalId(principal),
    other,
  } = written;
  const owner = other?.slice(0, Math.max(0, other.indexOf("/")));
  if (owner !== undefined && world.authenticatorType(owner) === undefined) {
    return problem("key", `"${other ?? ""}" names nobody`, "<authenticator>/<subject>", "other");
  }
  return { service, lifetimeSeconds: lifetime, binding, grant, as, client, narrowed, other };
}

function problem(
  key: KeyProblem["key"],
  message: string,
  remedy: string,
  ...further: string[]
): KeyProblem {
  return { key, further, message, remedy };
}
