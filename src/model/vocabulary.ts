import type { AttributeType, AttributeValue, PrincipalKind } from "./principal.ts";
import type { RpcProtocol } from "./rpc.ts";

/**
 * The words that policies can use, as the configuration declares them. `policy/` turns it into a
 * Cedar schema and into the static entities (routes, services, actions).
 */
export interface Vocabulary {
  readonly authenticators: readonly VocabularyAuthenticator[];
  readonly services: readonly VocabularyService[];
  readonly routes: readonly VocabularyRoute[];
  /** Attributes of the admin API as a resource; left out: it has none. */
  readonly admin?: { readonly attributes: Readonly<Record<string, AttributeValue>> } | undefined;
}

export interface VocabularyAuthenticator {
  readonly name: string;
  /** Kinds of principal that it can vouch for. */
  readonly kinds: readonly PrincipalKind[];
  /** Declared attributes; always present on its principals. */
  readonly attributes: Readonly<Record<string, AttributeType>>;
  /** Roles that it may assert without its own prefix. */
  readonly bareRoles: readonly string[];
  /** Declared attributes of devices that it names beside its principals; left out: it names none. */
  readonly device?: Readonly<Record<string, AttributeType>> | undefined;
  /**
   * Its credentials are keys that our authority issues, to whoever any authenticator vouches for. Left out:
   * they are somebody else's. Where no authenticator has it, no key is issued.
   */
  readonly issued?: true | undefined;
}

/** Whether keys are issued, so that policies are asked about them. */
export function issuesKeys({ authenticators }: Pick<Vocabulary, "authenticators">): boolean {
  return authenticators.some(({ issued }) => issued === true);
}

/** What can be told of the callers of an authenticator before any comes; no word of policies. */
export interface AuthenticatorGrants {
  /** Whether they can have roles under its own name. */
  readonly scopedRoles: boolean;
  /** Whether they can have groups; or the only ones. */
  readonly groups: boolean | readonly string[];
  /** What subjects begin with, where that is certain. */
  readonly subjectPrefix: string | undefined;
}

export interface VocabularyService {
  readonly name: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** What its description names (OpenAPI, gRPC); left out: it has none, and methods are its actions. */
  readonly operations?: readonly VocabularyOperation[] | undefined;
}

/** One operation of a service, which is an action of its own in place of its method. */
export interface VocabularyOperation {
  /** As the description calls it; see `operationAction`. */
  readonly id: string;
  readonly method: string;
  /** Canonical, as the service sees it: literal segments, and `{name}` for one segment. */
  readonly path: string;
  /** Tags and the like; see `operationGroup`. */
  readonly groups: readonly string[];
  /** What `context.parameters` has. */
  readonly parameters: readonly VocabularyParameter[];
}

export interface VocabularyParameter {
  readonly name: string;
  readonly type: AttributeType;
  readonly required: boolean;
  /** Which segment of the path it is, counted from 0; left out: it is in the query. */
  readonly segment?: number | undefined;
  /** What stands between the items of a list; left out: each is a parameter of the same name. */
  readonly delimiter?: string | undefined;
}

/**
 * Ids of actions. Names of services are of letters, digits and dashes, so what stands behind them tells
 * apart: `:` an operation, `/` a group of operations. Methods, `read` and `write` have neither.
 */
export function operationAction(service: string, id: string): string {
  return `${service}:${id}`;
}

export function operationGroup(service: string, name: string): string {
  return `${service}/${name}`;
}

export interface VocabularyRoute {
  readonly name: string;
  /** Undefined where the route redirects: then it is in no service. */
  readonly service: string | undefined;
  /** Its own attributes; they win over its service's. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Names of `{name}` segments. */
  readonly params: readonly string[];
  /** What policies see of its bodies; left out: nothing. */
  readonly inspect?: VocabularyInspection | undefined;
}

export interface VocabularyInspection {
  /** Declared values; present where the body has them. */
  readonly body: Readonly<Record<string, AttributeType>>;
  /** Left out: its bodies are not read as JSON-RPC. */
  readonly rpc?: RpcProtocol | undefined;
}

/**
 * Methods that policies know. GET, HEAD and OPTIONS are in `Action::"read"`, the others in
 * `Action::"write"`; any other method is 405 before a policy is asked.
 */
export const READ_METHODS = ["GET", "HEAD", "OPTIONS"] as const;
export const WRITE_METHODS = ["POST", "PUT", "PATCH", "DELETE"] as const;
export const METHODS: readonly string[] = [...READ_METHODS, ...WRITE_METHODS];
