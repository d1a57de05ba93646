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
}

export interface VocabularyService {
  readonly name: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
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
