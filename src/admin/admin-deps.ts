/**
 * What the admin API shows and changes, as interfaces: each process hands in what it has. What it has
 * not (a proxy has no store) is left out, and the API says so (`not-here`).
 */
import type { ApiKeyOptions } from "../identity/api-key-options.ts";
import type { ClientPrincipalOptions } from "../identity/claims/client-principal.ts";
import type { ApiKeyRegister } from "../keys/api-key-register.ts";
import type { ClientRegister } from "../keys/client-register.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { KeyManager } from "../keys/key-manager.ts";
import type { RevocationRegister } from "../keys/revocation-register.ts";
import type { UsageDesk } from "../limits/usage/usage-desk.ts";
import type { ClientProfile } from "../model/clients.ts";
import type { EvaluationDesk } from "../model/authzen.ts";
import type { JsonObject } from "../model/json.ts";
import type { Clock, Log } from "../model/ports.ts";
import type { Store } from "../model/store.ts";
import type { WorkloadRegister } from "../model/workloads.ts";
import type { PolicyRoles } from "../policy/policy-roles.ts";

export interface AdminDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly process: ProcessDesk;
  readonly config: ConfigDesk;
  readonly store?: Store | undefined;
  readonly workloads?: WorkloadRegister | undefined;
  readonly revocations?: RevocationRegister | undefined;
  readonly apiKeys?: ApiKeyRegister | undefined;
  readonly clients?: ClientRegister | undefined;
  readonly keys?: KeyDesk | undefined;
  readonly roots?: RootDesk | undefined;
  readonly bundles?: BundleDesk | undefined;
  readonly decisions?: DecisionDesk | undefined;
  /** Undefined where usage is not counted. */
  readonly usage?: UsageDesk | undefined;
  /** Where it decides about traffic: who else asks how it would. */
  readonly evaluations?: EvaluationDesk | undefined;
}

export interface DecisionDesk {
  /** Undefined where the audit log has no decision of that id. Rejects with SallyportError. */
  explain(id: string): Promise<JsonObject | undefined>;
}

/** Whether one thing that readiness depends on is in order, in words; no secrets. */
export interface ProcessStatus {
  readonly version: string;
  readonly runtime: string;
  readonly role: "single" | "authority" | "proxy";
  readonly pid: number;
  readonly startedMs: number;
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
  readonly listeners: readonly {
    readonly name: string;
    readonly scheme: "http" | "https";
    readonly address: string;
  }[];
  /** Serving processes that there are, and that there should be. */
  readonly workers: { readonly serving: number; readonly wanted: number };
  /** Undefined where there is no feed and no store. */
  readonly feed:
    | {
        readonly epoch: string;
        readonly number: number;
        /** What the authority vouched for last; the staleness counts from it. Undefined: not yet. */
        readonly asOfMs: number | undefined;
        readonly maxStalenessMs: number;
      }
    | undefined;
  /** Proxies and relays that follow this process now. */
  readonly followers: number | undefined;
  /** Of a proxy whose authority is elsewhere: how it follows it, and who it is there. */
  readonly follows?:
    | {
        readonly connected: boolean;
        /** Address of the one that is followed, or was tried last. */
        readonly authority: string;
        /** Of the configuration that comes over the feed. */
        readonly bundle: string;
        /** Why the last stream ended; undefined once there is another. */
        readonly lastError: string | undefined;
        /** What this machine is enrolled as. */
        readonly name: string;
        /** Its identity ends then; it is renewed before. */
        readonly notAfterMs: number;
      }
    | undefined;
  /** `authority.serve.address`, where machines enrol and follow. */
  readonly serves?: string | undefined;
}

export interface ProcessDesk {
  status(): ProcessStatus | Promise<ProcessStatus>;
  /**
   * Reads the configuration again and puts it in force. Rejects with ConfigError, and changes nothing,
   * where it does not validate or changes what only a restart can change.
   */
  reload(): Promise<void>;
  /** Begins an orderly end; returns at once. */
  drain(): void;
}

/** The configuration in force. */
export interface RunningConfig {
  readonly hash: string;
  readonly sinceMs: number;
  /** As it is written: expressions unexpanded, secrets that were written out masked. */
  readonly written: JsonObject;
  /** Tests that its policies fail, and that it ignores; undefined: none. */
  readonly failingTests?: number | undefined;
  /** The last reload, where it failed. */
  readonly notReloaded?:
    | { readonly atMs: number; readonly why: readonly string[]; readonly problems: number }
    | undefined;
  readonly routes: readonly RouteView[];
  readonly services: readonly ServiceView[];
  readonly authenticators: readonly AuthenticatorView[];
  /** Clients of the token endpoint that it declares; left out: none. */
  readonly clients?: readonly DeclaredClientView[] | undefined;
  /** Roles that its policies know, found when they are asked for; left out where that is not known here. */
  readonly policyRoles?: (() => PolicyRoles) | undefined;
}

/** How it proves who it is stands in the configuration. */
export type DeclaredClientView = ClientProfile;

export interface RouteView {
  readonly name: string;
  readonly host: string | undefined;
  readonly path: string;
  readonly methods: readonly string[] | undefined;
  /** Undefined where it redirects. */
  readonly service: string | undefined;
  readonly authenticate: readonly string[];
}

export interface ServiceView {
  readonly name: string;
  readonly balance: string;
  readonly endpoints: readonly EndpointView[];
  /** Requests that wait for an endpoint; undefined where that is not known here. */
  readonly waiting: number | undefined;
}

export interface EndpointView {
  /** `host:port`. */
  readonly address: string;
  /** Undefined where that is not known here (a supervisor: its workers know). */
  readonly state: string | undefined;
  readonly requests: number | undefined;
  readonly connections: number | undefined;
}

export interface AuthenticatorView {
  readonly name: string;
  readonly type: string;
  readonly issuer: string | undefined;
  /** Of one that takes API keys: what they can be. */
  readonly apiKeys?: ApiKeyOptions | undefined;
  /** Of the one that knows our own keys: what clients of the token endpoint can be. */
  readonly clients?: ClientPrincipalOptions | undefined;
  /** Undefined where that is not known here. */
  readonly keys:
    | {
        readonly usable: number;
        /** When they were last fetched, well; undefined: never, or they come from a file. */
        readonly fetchedMs: number | undefined;
        /** Fetches that have failed since. */
        readonly failures: number;
      }
    | undefined;
}

export interface ConfigDesk {
  running(): RunningConfig | Promise<RunningConfig>;
}

/** Of the key manager: what it shows and what it can be asked for. */
export type KeyDesk = Pick<KeyManager, "list" | "rotate">;

/** Of the small CA: the same. */
export type RootDesk = Pick<CertificateAuthority, "list" | "rotate">;

/** All that one configuration gives to proxies. */
export interface PublicationView {
  /** `sha256-…` of the whole configuration. */
  readonly hash: string;
  readonly atMs: number;
  readonly by: string;
  readonly inForce: boolean;
  /** The first whose pattern matches a proxy's name counts. */
  readonly parts: readonly {
    readonly proxy: string;
    readonly services: "all" | readonly string[];
    /** `sha256-…` of the bundle. */
    readonly bundle: string;
    readonly bytes: number;
  }[];
}

export interface BundleDesk {
  /** Newest first. */
  list(): readonly PublicationView[];
}
