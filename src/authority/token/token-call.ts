/** What the token endpoint and those beside it are given, and what they answer. */
import type { OwnOutcome, OwnRequest } from "../../gate/own.ts";
import type { Exchange } from "../../http/exchange.ts";
import type { Fields } from "../../model/http.ts";
import type { KeyIssuing, RegisteredClient } from "../../model/issued-keys.ts";
import type { AuditLog } from "../../model/records.ts";
import type { Clock, Log } from "../../model/ports.ts";
import type { Tracing } from "../../telemetry/traces/tracing.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { BearerVerifier, CertificateVerifier, ProofVerifier } from "../../model/verifiers.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Targets } from "./targets.ts";
import type { TokenFigures } from "./token-figures.ts";

/** Who can get keys, and for what, by one configuration. */
export interface TokenSnapshot {
  /** Public origins of the listeners that serve these endpoints, by name. */
  readonly origins: ReadonlyMap<string, string>;
  /** Of those, where callers can show certificates. */
  readonly certificateListeners: ReadonlySet<string>;
  /** Of those, where the public keys are shown as well. */
  readonly keyListeners: ReadonlySet<string>;
  /** Name of the authenticator of type `sallyport`. */
  readonly authenticator: string;
  readonly lifetimeMs: number;
  readonly mostLifetimeMs: number;
  readonly targets: Targets;
  /** Declared clients, by id. */
  readonly declared: ReadonlyMap<string, RegisteredClient>;
  /** Whose callers are clients without registration, by certificate and by token. */
  readonly certificates: CertificateVerifier | undefined;
  readonly assertions: BearerVerifier | undefined;
  /** Whose tokens can be exchanged. */
  readonly subjects: BearerVerifier | undefined;
  /** Our own keys. */
  readonly keys: BearerVerifier;
  readonly proofs: ProofVerifier;
  /** `alg` of proofs. */
  readonly proofAlgorithms: readonly string[];
}

export interface TokenDeps {
  readonly issuing: KeyIssuing;
  readonly shared: SharedMemory;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditLog;
  /** Undefined: these requests are part of no trace. */
  readonly tracing?: Tracing | undefined;
  /** A `jti`. */
  readonly newId: () => string;
  readonly figures: TokenFigures;
}

export interface TokenCall {
  readonly own: OwnRequest;
  readonly exchange: Exchange;
  readonly tokens: TokenSnapshot;
  readonly deps: TokenDeps;
  /** Of the listener, such as `https://sallyport.example.com`. */
  readonly origin: string;
  /** Path of the endpoint that is called. */
  readonly path: string;
}

/** What an endpoint answers, once it is on record. */
export interface TokenAnswer extends OwnOutcome {
  readonly json: JsonObject | undefined;
  /** Beside those that every answer has; name, value, name, value, … */
  readonly fields?: Fields | undefined;
}

/** SHA-256 thumbprint of the certificate that the connection has proven, as `x5t#S256`. */
export function certificateOf({ exchange }: TokenCall): string | undefined {
  return exchange.connection.peer.tls?.certificate?.thumbprint;
}
