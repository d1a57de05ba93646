/**
 * The typed client of the admin API. Written by `npm run docs` from docs/openapi.json: change the
 * operations in src/admin/ and not this file.
 */
import type { AdminAnswer, AdminTransport } from "./admin-transport.ts";

/** Why a call did not do what it asked (RFC 9457). */
export interface Problem {
  /** A URN of the reason. */
  readonly type: string;
  /** The status of the answer. */
  readonly status: number;
  /** What is wrong, the same for every occurrence. */
  readonly title: string;
  /** Why, in kebab-case. */
  readonly reason: string;
  /** What is wrong in this case, for the operator. */
  readonly detail?: string | undefined;
  /** Id of the gate's decision, by which the audit log has it. */
  readonly decision?: string | undefined;
  /** Everything that is wrong, and where. */
  readonly faults?:
    | readonly {
        /** Where: a JSON Pointer into the body, `path`, `query` or `header` and a name, or a place in a file. */
        readonly at: string;
        /** What is wrong. */
        readonly message: string;
        /** What would be right. */
        readonly remedy?: string | undefined;
      }[]
    | undefined;
}

/** The whole at a glance. */
export interface Status {
  readonly version: string;
  /** Name and version of what it runs on. */
  readonly runtime: string;
  /** `single`: authority and proxy in one, or a proxy without an authority. */
  readonly role: "single" | "authority" | "proxy";
  readonly pid: number;
  readonly started: string;
  readonly uptimeSeconds: number;
  /** As `/readyz` says. */
  readonly ready: boolean;
  /** Each thing that readiness depends on, in words. */
  readonly checks: Readonly<Record<string, string>>;
  readonly config: {
    /** Of the configuration in force and its policies. */
    readonly hash: string;
    /** When it was put in force. */
    readonly since: string;
    /** Tests that its policies fail, and that it ignores; absent: none. */
    readonly failingTests?: number | undefined;
    /** The last reload, where it failed: the running configuration is not the written one. */
    readonly notReloaded?:
      | {
          readonly at: string;
          /** The first problems. */
          readonly why: readonly string[];
          /** How many there are. */
          readonly problems: number;
        }
      | undefined;
  };
  readonly listeners: readonly {
    readonly name: string;
    readonly scheme: "http" | "https";
    readonly address: string;
  }[];
  readonly workers: {
    /** Processes that serve. */
    readonly serving: number;
    /** Processes that should. */
    readonly wanted: number;
  };
  /** Where it stands in what its authority says; absent without one. */
  readonly feed?:
    | {
        readonly epoch: string;
        /** The last change that is known here. */
        readonly number: number;
        /** All changes up to then are known here; absent: not heard since the start. */
        readonly asOf?: string | undefined;
        /** How long ago that is. */
        readonly stalenessSeconds?: number | undefined;
        /** Beyond it every request is refused. */
        readonly maxStalenessSeconds: number;
      }
    | undefined;
  /** Absent where this process has none. */
  readonly store?:
    | {
        readonly reachable: boolean;
        /** Of the last change. */
        readonly number?: number | undefined;
      }
    | undefined;
  /** The keys that sign now; absent where this process has none. */
  readonly keys?:
    | readonly {
        readonly use: string;
        readonly kid: string;
        readonly retires: string;
      }[]
    | undefined;
  /** Proxies and relays that follow this process now. */
  readonly followers?: number | undefined;
  /** Of a proxy whose authority is elsewhere. */
  readonly follows?:
    | {
        readonly connected: boolean;
        /** The one that is followed, or was tried last. */
        readonly authority: string;
        /** State of the configuration that comes over the feed. */
        readonly bundle: string;
        /** Why the last stream ended, until there is another. */
        readonly lastError?: string | undefined;
        /** What this machine is enrolled as. */
        readonly name: string;
        /** Its identity ends then; it is renewed before. */
        readonly identityUntil: string;
      }
    | undefined;
  /** Where machines enrol and follow this process. */
  readonly serves?: string | undefined;
  /** How many the configuration in force has. */
  readonly counts: {
    readonly routes: number;
    readonly services: number;
    readonly authenticators: number;
  };
}

/** The configuration in force. */
export interface Config {
  /** Of the configuration in force and its policies. */
  readonly hash: string;
  /** When it was put in force. */
  readonly since: string;
  /** Tests that its policies fail, and that it ignores; absent: none. */
  readonly failingTests?: number | undefined;
  /** The last reload, where it failed. */
  readonly notReloaded?:
    | {
        readonly at: string;
        readonly why: readonly string[];
        readonly problems: number;
      }
    | undefined;
  /** As it is written, without what expressions stand for; secrets are `***`. */
  readonly written: Readonly<Record<string, unknown>>;
}

export interface Reloaded {
  readonly hash: string;
  readonly since: string;
}

export interface Route {
  readonly name: string;
  /** Absent: every host. */
  readonly host?: string | undefined;
  readonly path: string;
  /** Absent: all of them. */
  readonly methods?: readonly string[] | undefined;
  /** Absent: it redirects. */
  readonly service?: string | undefined;
  /** How callers are known, in their order. */
  readonly authenticate: readonly string[];
}

export interface Service {
  readonly name: string;
  /** How requests are spread over its endpoints. */
  readonly balance: string;
  readonly endpoints: readonly Endpoint[];
  /** Requests that wait for an endpoint. */
  readonly waiting?: number | undefined;
}

export interface Endpoint {
  /** `host:port`. */
  readonly address: string;
  /** `ready`, `resting`, `unhealthy` or `ejected`; absent where it is not known here. */
  readonly state?: string | undefined;
  /** In flight. */
  readonly requests?: number | undefined;
  /** Open. */
  readonly connections?: number | undefined;
}

export interface Authenticator {
  readonly name: string;
  readonly type: string;
  readonly issuer?: string | undefined;
  /** Absent where it is not known here. */
  readonly keys?:
    | {
        /** Keys that it verifies with. */
        readonly usable: number;
        /** The last time that went well; absent for a file. */
        readonly fetched?: string | undefined;
        /** Fetches that have failed since. */
        readonly failures: number;
      }
    | undefined;
}

/** A machine that is known by an identity of ours. */
export interface Workload {
  readonly name: string;
  /** `proxy`: may follow the feed. `workload`: may not. */
  readonly kind: "proxy" | "workload";
  /** How it proves who it is. */
  readonly method: "mtls" | "private-key-jwt";
  /** `invited`: a join token is out. `lapsed`: it was not redeemed in time. `expired`: it did not renew in time. */
  readonly state: "invited" | "lapsed" | "enrolled" | "expired" | "disabled";
  /** Its SPIFFE ID, as certificates have it. */
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  /** The one key that counts; absent until a join token is redeemed. */
  readonly key?:
    | {
        /** RFC 7638, of its public key. */
        readonly thumbprint: string;
        readonly registered: string;
        readonly expires: string;
        /** Hex, of its newest certificate. */
        readonly serial?: string | undefined;
      }
    | undefined;
  /** The join token that is out ends then. */
  readonly invitedUntil?: string | undefined;
  readonly disabled?:
    | {
        readonly at: string;
        readonly by: string;
        readonly reason?: string | undefined;
      }
    | undefined;
  /** When it was last there, to within some minutes. */
  readonly seen?: string | undefined;
  /** A key that had been replaced was used: it may be in two hands. Enrol it anew. */
  readonly suspicion?:
    | {
        readonly at: string;
        readonly address: string;
      }
    | undefined;
}

/** A join token, and the machine that it is for. */
export interface Invitation {
  readonly workload: Workload;
  /** The join token, shown once. Whoever has it may become the machine. */
  readonly token: string;
  /** It can be redeemed until then. */
  readonly expires: string;
}

/** What is taken away, since when and by whom. */
export interface Revocation {
  /** Digest of the target. */
  readonly id: string;
  readonly target: RevocationTarget;
  /** What was issued until then is dead; absent: it is not revoked. */
  readonly revokedUntil?: string | undefined;
  /** Nothing is good; absent: it is not blocked. */
  readonly blocked?:
    | {
        /** Absent: until it is lifted. */
        readonly until?: string | undefined;
      }
    | undefined;
  readonly reason?: string | undefined;
  /** Who wrote it last. */
  readonly by: string;
  readonly changed: string;
}

/** What is taken away: one credential by its `jti`, everything of a subject, of an authenticator, or what is presented to a service. */
export type RevocationTarget =
  | {
      readonly kind: "id";
      readonly authenticator: string;
      readonly id: string;
    }
  | {
      readonly kind: "subject";
      readonly authenticator: string;
      readonly subject: string;
    }
  | {
      readonly kind: "authenticator";
      readonly authenticator: string;
    }
  | {
      readonly kind: "service";
      readonly service: string;
    };

/** A key for callers that can do nothing better. */
export interface ApiKey {
  /** The authenticator of type `api-key` that it is for. */
  readonly authenticator: string;
  /** Whose it is: the subject of its principal. Several keys of one owner are one principal. */
  readonly owner: string;
  /** What tells it from other keys of its owner. */
  readonly label?: string | undefined;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string | boolean | number | readonly string[]>>;
  /** The only services that it may be presented to. Absent: all that take it. */
  readonly services?: readonly string[] | undefined;
  /** What names it in calls, records and revocations; no part of the key. */
  readonly id: string;
  /** `replaced`: another has taken its place, and it is good until it expires. */
  readonly state: "active" | "replaced" | "expired" | "revoked";
  readonly created: string;
  readonly createdBy: string;
  readonly expires: string;
  /** When it last let somebody in, to within some minutes; absent: not that we know. */
  readonly used?: string | undefined;
  /** Id of the key whose place it took. */
  readonly replaces?: string | undefined;
  /** Id of the key that took its place. */
  readonly replacedBy?: string | undefined;
  readonly revoked?:
    | {
        readonly at: string;
        readonly by: string;
        readonly reason?: string | undefined;
      }
    | undefined;
}

/** A new API key, with its text. */
export interface MadeApiKey {
  readonly apiKey: ApiKey;
  /** The key itself, shown once. Whoever has it is its owner. */
  readonly key: string;
  /** The key that it takes the place of. */
  readonly former?:
    | {
        /** The authenticator of type `api-key` that it is for. */
        readonly authenticator: string;
        /** Whose it is: the subject of its principal. Several keys of one owner are one principal. */
        readonly owner: string;
        /** What tells it from other keys of its owner. */
        readonly label?: string | undefined;
        readonly scopes: readonly string[];
        readonly roles: readonly string[];
        readonly groups: readonly string[];
        readonly attributes: Readonly<
          Record<string, string | boolean | number | readonly string[]>
        >;
        /** The only services that it may be presented to. Absent: all that take it. */
        readonly services?: readonly string[] | undefined;
        /** What names it in calls, records and revocations; no part of the key. */
        readonly id: string;
        /** `replaced`: another has taken its place, and it is good until it expires. */
        readonly state: "active" | "replaced" | "expired" | "revoked";
        readonly created: string;
        readonly createdBy: string;
        readonly expires: string;
        /** When it last let somebody in, to within some minutes; absent: not that we know. */
        readonly used?: string | undefined;
        /** Id of the key whose place it took. */
        readonly replaces?: string | undefined;
        /** Id of the key that took its place. */
        readonly replacedBy?: string | undefined;
        readonly revoked?:
          | {
              readonly at: string;
              readonly by: string;
              readonly reason?: string | undefined;
            }
          | undefined;
      }
    | undefined;
  /** What is taken and hardly meant. */
  readonly warnings: readonly string[];
}

/** A client of the token endpoint. */
export interface Client {
  readonly id: string;
  /** For operators. */
  readonly label?: string | undefined;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string | boolean | number | readonly string[]>>;
  /** `declared`: it stands in the configuration of the authority, and is changed there. */
  readonly source: "declared" | "registered";
  /** `keyless`: nothing is registered by which it could prove who it is. */
  readonly state: "active" | "disabled" | "keyless";
  /** How it proves who it is; empty for one that is declared, where it stands there. */
  readonly keys: readonly ClientKey[];
  /** Absent for one that is declared. */
  readonly created?: string | undefined;
  readonly createdBy?: string | undefined;
  /** When it last got a key, to within some minutes; absent: not that we know. */
  readonly used?: string | undefined;
  readonly disabled?:
    | {
        readonly at: string;
        readonly by: string;
        readonly reason?: string | undefined;
      }
    | undefined;
}

/** A way in which a client proves who it is. */
export interface ClientKey {
  /** What names it in calls: of a key its RFC 7638 thumbprint, of a certificate its `x5t#S256`. */
  readonly id: string;
  readonly type: "key" | "certificate" | "secret";
  /** Of a key: its public half. */
  readonly jwk?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly added: string;
  readonly addedBy: string;
}

/** A client, with what was added to it. */
export interface MadeClient {
  readonly client: Client;
  readonly added?: ClientKey | undefined;
  /** The client secret, shown once. Whoever has it is the client. */
  readonly secret?: string | undefined;
  /** What is taken and hardly meant. */
  readonly warnings: readonly string[];
}

/** A further way in which a client proves who it is. */
export type NewClientKey =
  | {
      /** Public key (RFC 7517), for `private_key_jwt`. A private one is refused. */
      readonly jwk: Readonly<Record<string, string | boolean | readonly string[]>>;
    }
  | {
      /** Thumbprint of the certificate that it shows (`x5t#S256` of RFC 8705). */
      readonly certificate: string;
    }
  | {
      /** Makes a client secret: for clients that can do nothing better. */
      readonly insecureSecret: true;
    };

/** A key that signs, signed, or is to sign. */
export interface Key {
  readonly kid: string;
  /** What it signs; a key never signs anything else. */
  readonly use: "tokens" | "assertions" | "cookies" | "checkpoints" | "feed";
  readonly algorithm: "EdDSA" | "ES256";
  /** `upcoming`: published and not used yet. `active`: signs. `retired`: only verifies. */
  readonly state: "upcoming" | "active" | "retired";
  readonly created: string;
  /** It signs from here on. */
  readonly active: string;
  /** It signs no more from here on. */
  readonly retired: string;
  /** It verifies until here. */
  readonly removed: string;
  /** When its successor is to sign; of the active one. */
  readonly next?: string | undefined;
  /** `first`, `schedule`, `asked` or `emergency`. */
  readonly because: string;
  /** Who asked for it. */
  readonly by?: string | undefined;
  /** Keys that it put an end to at once. */
  readonly replaced: readonly string[];
}

export interface KeysOfUse {
  readonly keys: readonly Key[];
}

export interface Roots {
  readonly roots: readonly Root[];
}

/** What enrolled machines are certified by. */
export interface Root {
  /** PEM. */
  readonly certificate: string;
  /** `upcoming`: trusted and not used yet. `active`: signs. `retired`: only vouches for what it has signed. */
  readonly state: "upcoming" | "active" | "retired";
  readonly created: string;
  /** It signs from here on. */
  readonly active: string;
  /** It is trusted until here. */
  readonly removed: string;
  /** When its successor is to sign; of the active one. */
  readonly next?: string | undefined;
  /** `first`, `schedule`, `asked` or `emergency`. */
  readonly because: string;
  /** Who asked for it. */
  readonly by?: string | undefined;
}

/** What one configuration gives to proxies. */
export interface Publication {
  /** `sha256-…` of the whole configuration. */
  readonly hash: string;
  readonly published: string;
  /** Who published it. */
  readonly by: string;
  readonly inForce: boolean;
  /** Who is to run what. The first pattern that matches a name counts. */
  readonly parts: readonly {
    /** Pattern of their names. */
    readonly proxies: string;
    /** What they serve; absent: all. */
    readonly services?: readonly string[] | undefined;
    /** `sha256-…` of its bytes. */
    readonly bundle: string;
    readonly bytes: number;
  }[];
}

/** Why a decision was made. */
export interface Explanation {
  /** The decision as it stands in the audit log. */
  readonly record: Readonly<Record<string, unknown>>;
  /** How its request ended, as in the audit log. */
  readonly completion?: Readonly<Record<string, unknown>> | undefined;
  /** File of the audit log that has the record. */
  readonly file: string;
  /** What the reason means, for the caller. */
  readonly title: string;
  /** What the reason means, for the operator. */
  readonly meaning: string;
  /** How the second evaluation stands to the record. */
  readonly evaluation: "same" | "different" | "uncertain" | "not-asked" | "no-bundle" | "redacted";
  /** With `redacted`: members of the record that policies can look at and that are keyed hashes. */
  readonly hidden?: readonly string[] | undefined;
  /** What decided, clause by clause, and the permits that came nearest; absent where policies were not asked, or are not kept. */
  readonly policies?: Readonly<Record<string, unknown>> | undefined;
}

/** A sum, with the names of `by` that it is for. */
export interface Usage {
  readonly month?: string | undefined;
  readonly day?: string | undefined;
  readonly hour?: string | undefined;
  readonly principal?: string | undefined;
  /** Empty: none. */
  readonly plan?: string | undefined;
  readonly service?: string | undefined;
  readonly route?: string | undefined;
  /** An operation of the service, or the method. */
  readonly operation?: string | undefined;
  /** Permitted ones. */
  readonly requests: number;
  /** 0 unless `usage.count` is `all`. */
  readonly denied: number;
  /** Of the bodies of requests that ended. */
  readonly bytesIn: number;
  /** Of the bodies of their answers. */
  readonly bytesOut: number;
  /** Cost units. */
  readonly cost: number;
}

/** Where a principal stands with its quota. */
export interface QuotaStanding {
  readonly principal: string;
  /** The one that its last request was on. */
  readonly plan: string;
  readonly per: "hour" | "day" | "month";
  readonly from: string;
  readonly until: string;
  /** What it may use in the period. */
  readonly quota: {
    readonly requests?: number | undefined;
    readonly bytes?: number | undefined;
    readonly cost?: number | undefined;
  };
  /** What it has used of it. */
  readonly used: {
    readonly requests?: number | undefined;
    readonly bytes?: number | undefined;
    readonly cost?: number | undefined;
  };
  /** The largest part of it that is used; 1 is all. */
  readonly share: number;
}

export interface EvaluationAnswer {
  readonly decision: boolean;
  readonly context: {
    /** Of the decision, by which the audit log has it. */
    readonly id?: string | undefined;
    /** Why, in kebab-case (docs/errors.md). */
    readonly reason?: string | undefined;
    /** Why nothing was decided; then the decision is false. */
    readonly error?:
      | {
          readonly status: number;
          readonly message: string;
        }
      | undefined;
  };
}

/** May this subject do this action on this resource? */
export interface Evaluation {
  /** Who: `type` is `User`, `Workload`, `Device` or `Anonymous`, `id` is `<authenticator>/<subject>`; `properties`: `roles`, `groups`, `attributes`, as policies see them. */
  readonly subject: {
    readonly type: string;
    readonly id: string;
    readonly properties?: Readonly<Record<string, unknown>> | undefined;
  };
  /** What: `name` is a method. */
  readonly action: {
    readonly name: string;
    readonly properties?: Readonly<Record<string, unknown>> | undefined;
  };
  /** On what: `type` is `Route`, `id` its name; `properties.params` are values of its `{name}` segments, where `context.path` is not said. */
  readonly resource: {
    readonly type: string;
    readonly id: string;
    readonly properties?: Readonly<Record<string, unknown>> | undefined;
  };
  /** `ip`, `time`, `host`, `path`, `url`, `query`, `headers`, `scopes`, `authn`, `workload`, `device`, `actor`. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
}

/** Several at once; what an evaluation does not say is taken from the request. */
export interface Evaluations {
  /** Who: `type` is `User`, `Workload`, `Device` or `Anonymous`, `id` is `<authenticator>/<subject>`; `properties`: `roles`, `groups`, `attributes`, as policies see them. */
  readonly subject?:
    | {
        readonly type: string;
        readonly id: string;
        readonly properties?: Readonly<Record<string, unknown>> | undefined;
      }
    | undefined;
  /** What: `name` is a method. */
  readonly action?:
    | {
        readonly name: string;
        readonly properties?: Readonly<Record<string, unknown>> | undefined;
      }
    | undefined;
  /** On what: `type` is `Route`, `id` its name; `properties.params` are values of its `{name}` segments, where `context.path` is not said. */
  readonly resource?:
    | {
        readonly type: string;
        readonly id: string;
        readonly properties?: Readonly<Record<string, unknown>> | undefined;
      }
    | undefined;
  /** `ip`, `time`, `host`, `path`, `url`, `query`, `headers`, `scopes`, `authn`, `workload`, `device`, `actor`. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
  readonly evaluations?:
    | readonly {
        /** Who: `type` is `User`, `Workload`, `Device` or `Anonymous`, `id` is `<authenticator>/<subject>`; `properties`: `roles`, `groups`, `attributes`, as policies see them. */
        readonly subject?:
          | {
              readonly type: string;
              readonly id: string;
              readonly properties?: Readonly<Record<string, unknown>> | undefined;
            }
          | undefined;
        /** What: `name` is a method. */
        readonly action?:
          | {
              readonly name: string;
              readonly properties?: Readonly<Record<string, unknown>> | undefined;
            }
          | undefined;
        /** On what: `type` is `Route`, `id` its name; `properties.params` are values of its `{name}` segments, where `context.path` is not said. */
        readonly resource?:
          | {
              readonly type: string;
              readonly id: string;
              readonly properties?: Readonly<Record<string, unknown>> | undefined;
            }
          | undefined;
        /** `ip`, `time`, `host`, `path`, `url`, `query`, `headers`, `scopes`, `authn`, `workload`, `device`, `actor`. */
        readonly context?: Readonly<Record<string, unknown>> | undefined;
      }[]
    | undefined;
  readonly options?:
    | {
        readonly evaluations_semantic?:
          | "execute_all"
          | "deny_on_first_deny"
          | "permit_on_first_permit"
          | undefined;
      }
    | undefined;
}

export interface AdminClient {
  /** This document. */
  getOpenApi(): Promise<AdminAnswer<Readonly<Record<string, unknown>>>>;
  /** The whole at a glance. */
  getStatus(): Promise<AdminAnswer<Status>>;
  /** The configuration in force. */
  getConfig(): Promise<AdminAnswer<Config>>;
  /** Reads the configuration again and puts it in force. What does not validate changes nothing, and is answered with every problem. May be repeated without harm. */
  reloadConfig(): Promise<AdminAnswer<Reloaded>>;
  /** Ends the process in order. As SIGTERM does: not ready at once, no new connections after `shutdown.delay`, what is in flight may end within `shutdown.grace`. May be repeated without harm. */
  drain(): Promise<AdminAnswer<undefined>>;
  /** Routes in force. */
  listRoutes(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly routes: readonly Route[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Services, and how their endpoints are. */
  listServices(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly services: readonly Service[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Ways to know callers, and whether their keys are at hand. */
  listAuthenticators(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly authenticators: readonly Authenticator[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Enrolled and invited machines. */
  listWorkloads(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
    /** Only those that were not there since then; pages may then be short, or empty with a `next`. */
    readonly unusedSince?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly workloads: readonly Workload[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Invites a machine: makes a single-use join token. */
  enrolWorkload(input: {
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body: {
      readonly name: string;
      readonly kind?: "proxy" | "workload" | undefined;
      readonly method?: "mtls" | "private-key-jwt" | undefined;
    };
  }): Promise<AdminAnswer<Invitation>>;
  /** One machine. */
  getWorkload(input: {
    /** Name of the machine. */
    readonly name: string;
  }): Promise<AdminAnswer<Workload>>;
  /** Forgets a machine; its certificate, while it lasts, names nobody. */
  removeWorkload(input: {
    /** Name of the machine. */
    readonly name: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
  }): Promise<AdminAnswer<undefined>>;
  /** From now on nothing of it is accepted. */
  disableWorkload(input: {
    /** Name of the machine. */
    readonly name: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body?:
      | {
          /** Why, for operators: at most 500 characters. */
          readonly reason?: string | undefined;
        }
      | undefined;
  }): Promise<AdminAnswer<Workload>>;
  /** Undoes that. */
  enableWorkload(input: {
    /** Name of the machine. */
    readonly name: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
  }): Promise<AdminAnswer<Workload>>;
  /** A new join token for a machine that is known. What it has now ends when the token is redeemed; with `now`, at once, and a machine that was disabled is let in again as soon as it has a new identity; without it one that is disabled is refused. An earlier token that is still out ends in either case. */
  reenrolWorkload(input: {
    /** Name of the machine. */
    readonly name: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body?:
      | {
          readonly now?: boolean | undefined;
        }
      | undefined;
  }): Promise<AdminAnswer<Invitation>>;
  /** What is taken away now. */
  listRevocations(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly revocations: readonly Revocation[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Takes access away: in force on every proxy that reaches the feed within a second. `revoke`: what was issued until now is dead, what is issued later is good. `block`: nothing is good until it is lifted, or until `until`. Told again, a cut-off is moved on and a block is never shortened. */
  createRevocation(input: {
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body: {
      readonly target: RevocationTarget;
      readonly mode: "revoke" | "block";
      /** Of a block: when it ends by itself. Left out: when it is lifted. */
      readonly until?: string | undefined;
      /** Of a revocation: when all that it denies has expired by itself, such as the `exp` of the one token. Left out: 400 days from now. */
      readonly expires?: string | undefined;
      /** Why, for operators: at most 500 characters. */
      readonly reason?: string | undefined;
      /** Whatever the target names. Left out, an authenticator or a service that the configuration in force does not have is refused, since that would deny nobody; for one that was just removed. */
      readonly unchecked?: boolean | undefined;
    };
  }): Promise<AdminAnswer<Revocation>>;
  /** One revocation. */
  getRevocation(input: {
    /** Digest of the target. */
    readonly id: string;
  }): Promise<AdminAnswer<Revocation>>;
  /** Gives access back. What was issued before a cut-off that is lifted, and has not expired, is good again. */
  liftRevocation(input: {
    /** Digest of the target. */
    readonly id: string;
    /** What is lifted; all of it when left out. */
    readonly mode?: "revoke" | "block" | undefined;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
  }): Promise<AdminAnswer<undefined>>;
  /** API keys, those that expired in the last 30 days included. */
  listApiKeys(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
    /** Only those for this authenticator. */
    readonly authenticator?: string | undefined;
    /** Only those of this owner; pages may then be short, or empty with a `next`. */
    readonly owner?: string | undefined;
    /** Only those that are good, are older and let nobody in since then; pages may then be short, or empty with a `next`. */
    readonly unusedSince?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly apiKeys: readonly ApiKey[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Makes an API key: in force on every proxy that reaches the feed within a second. */
  createApiKey(input: {
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body: {
      /** The authenticator of type `api-key` that it is for. */
      readonly authenticator: string;
      /** Whose it is: the subject of its principal. Several keys of one owner are one principal. */
      readonly owner: string;
      /** What tells it from other keys of its owner. */
      readonly label?: string | undefined;
      /** `context.scopes`. */
      readonly scopes?: readonly string[] | undefined;
      /** Roles of its principal, as the authenticator's `roles` says. */
      readonly roles?: readonly string[] | undefined;
      /** Groups of its principal. */
      readonly groups?: readonly string[] | undefined;
      /** Values of the attributes that the authenticator declares. */
      readonly attributes?:
        | Readonly<Record<string, string | boolean | number | readonly string[]>>
        | undefined;
      /** The only services that it may be presented to. Absent: all that take it. */
      readonly services?: readonly string[] | undefined;
      /** When it ends. Left out: in 90 days, or after the authenticator's `maxLifetime` where that is less. */
      readonly expires?: string | undefined;
    };
  }): Promise<AdminAnswer<MadeApiKey>>;
  /** One API key, without its text. */
  getApiKey(input: {
    /** Id of the key. */
    readonly id: string;
  }): Promise<AdminAnswer<ApiKey>>;
  /** Forgets a key; whoever still has it is told that it is not known. */
  removeApiKey(input: {
    /** Id of the key. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
  }): Promise<AdminAnswer<undefined>>;
  /** Makes a key that may the same; the one before ends after an overlap. Give the new key to its holder within the overlap: until then both are good. The new one lasts as long as the one before was made for, or until `expires`. */
  rotateApiKey(input: {
    /** Id of the key. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body?:
      | {
          /** How long the key before is good for, at most; a day when left out. */
          readonly overlapSeconds?: number | undefined;
          /** When the new key ends. */
          readonly expires?: string | undefined;
        }
      | undefined;
  }): Promise<AdminAnswer<MadeApiKey>>;
  /** Ends a key for good, on every proxy that reaches the feed within a second. Open streams that it let in are closed. A key that took its place goes on. */
  revokeApiKey(input: {
    /** Id of the key. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body?:
      | {
          /** Why, for operators: at most 500 characters. */
          readonly reason?: string | undefined;
        }
      | undefined;
  }): Promise<AdminAnswer<ApiKey>>;
  /** Clients of the token endpoint, declared and registered. */
  listClients(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
    /** Only registered ones that are older and got no key since then; pages may then be short, or empty with a `next`. */
    readonly unusedSince?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly clients: readonly Client[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Registers a client of the token endpoint. */
  createClient(input: {
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body: {
      /** `client_id`, and the subject of its principal. */
      readonly id: string;
      /** For operators. */
      readonly label?: string | undefined;
      /** Roles of its principal, as `principal.roles` of the authenticator says. */
      readonly roles?: readonly string[] | undefined;
      /** Groups of its principal. */
      readonly groups?: readonly string[] | undefined;
      /** Values of the attributes that the authenticator of type `sallyport` declares. */
      readonly attributes?:
        | Readonly<Record<string, string | boolean | number | readonly string[]>>
        | undefined;
      readonly key?: NewClientKey | undefined;
    };
  }): Promise<AdminAnswer<MadeClient>>;
  /** One client. */
  getClient(input: {
    /** `client_id`. */
    readonly id: string;
  }): Promise<AdminAnswer<Client>>;
  /** Forgets a client; what it got until now is dead. */
  removeClient(input: {
    /** `client_id`. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
  }): Promise<AdminAnswer<undefined>>;
  /** A further key, certificate or secret; those that it has stay good. Change a key over in three steps: add the new one, let the client use it, remove the former one. Up to 16 of them at a time. */
  addClientKey(input: {
    /** `client_id`. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body: NewClientKey;
  }): Promise<AdminAnswer<MadeClient>>;
  /** From now on it does not prove that somebody is the client. What the client got with it is good until it expires: see `createRevocation`. */
  removeClientKey(input: {
    /** `client_id`. */
    readonly id: string;
    /** Id of the key, the certificate or the secret. */
    readonly key: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
  }): Promise<AdminAnswer<Client>>;
  /** It gets no key, and those that it has are good for nothing. Blocks and revokes its subject as `createRevocation` does, on every proxy that reaches the feed within a second. `enableClient` lifts that block, and no block that was there before; what was issued until now is dead for good. */
  disableClient(input: {
    /** `client_id`. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
    readonly body?:
      | {
          /** Why, for operators: at most 500 characters. */
          readonly reason?: string | undefined;
        }
      | undefined;
  }): Promise<AdminAnswer<Client>>;
  /** It may get keys again. What it had got when it was disabled stays dead: the cut-off is not lifted. Keys that it gets within the clock skew after that cut-off are dead as well. */
  enableClient(input: {
    /** `client_id`. */
    readonly id: string;
    /** The ETag that it must have now, as it was read; otherwise 412. */
    readonly ifMatch?: string | undefined;
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
  }): Promise<AdminAnswer<Client>>;
  /** Keys that are published. */
  listKeys(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly keys: readonly Key[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Publishes the next key now; it signs as soon as everybody knows it. */
  rotateKey(input: {
    /** What the key signs. */
    readonly use: "tokens" | "assertions" | "cookies" | "checkpoints" | "feed";
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
  }): Promise<AdminAnswer<KeysOfUse>>;
  /** A new key signs at once, and nothing that the former ones signed verifies any more. For a key that is in other hands. Everything that it has signed is worth nothing. */
  rotateKeyNow(input: {
    /** What the key signs. */
    readonly use: "tokens" | "assertions" | "cookies" | "checkpoints" | "feed";
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
  }): Promise<AdminAnswer<KeysOfUse>>;
  /** Roots that are trusted, oldest first. */
  listRoots(): Promise<AdminAnswer<Roots>>;
  /** Publishes the next root now; it signs in 30 days, when everybody trusts it. */
  rotateRoot(input?: {
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
  }): Promise<AdminAnswer<Roots>>;
  /** A new root is trusted alone, and every machine has to enrol anew. For a root whose private half is in other hands. Every certificate is void at once, those of proxies and of the feed among them. */
  rotateRootNow(input?: {
    /** 1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours. */
    readonly idempotencyKey?: string | undefined;
  }): Promise<AdminAnswer<Roots>>;
  /** What proxies are told to run, and were told lately. */
  listBundles(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly bundles: readonly Publication[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** One publication. */
  getBundle(input: {
    /** Of the whole configuration. */
    readonly hash: string;
  }): Promise<AdminAnswer<Publication>>;
  /** Why a decision was made. The request is evaluated again by the policies that were in force then. Of several processes, each has the decisions of its own audit log. */
  explainDecision(input: {
    /** Id of the decision. */
    readonly id: string;
  }): Promise<AdminAnswer<Explanation>>;
  /** What callers have used. Sums of whole hours. Without `from` and `to`: of this month. An hour that has passed for some seconds does not change any more. */
  getUsage(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
    /** Hours that begin then or later; a whole hour. */
    readonly from?: string | undefined;
    /** Hours that begin before then; a whole hour. */
    readonly to?: string | undefined;
    /** What sums are by: some of month, day, hour, principal, plan, service, route, operation, with commas between; principal when left out. */
    readonly by?: string | undefined;
    /** Only of this one: `<authenticator>/<subject>`. Who is redacted in the log is found by it while her key is there, and answered under the pseudonym. */
    readonly principal?: string | undefined;
    readonly plan?: string | undefined;
    readonly service?: string | undefined;
    readonly route?: string | undefined;
    readonly operation?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly from: string;
      readonly to: string;
      readonly usage: readonly Usage[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** Where principals stand with their quotas. Those whose plan has a quota, and who asked for anything in this month. */
  listQuotas(input?: {
    /** Most entries of the page, from 1 to 500; 100 when left out. */
    readonly limit?: number | undefined;
    /** The `next` of the page before. */
    readonly cursor?: string | undefined;
    /** Only of this one: `<authenticator>/<subject>`. Who is redacted in the log is found by it while her key is there, and answered under the pseudonym. */
    readonly principal?: string | undefined;
  }): Promise<
    AdminAnswer<{
      readonly quotas: readonly QuotaStanding[];
      /** Cursor of the page after this one; absent where there is none. */
      readonly next?: string | undefined;
    }>
  >;
  /** How the policies in force would decide about a request. The Access Evaluation API of AuthZEN 1.0. docs/authzen.md says what maps to what. */
  evaluate(input: { readonly body: Evaluation }): Promise<AdminAnswer<EvaluationAnswer>>;
  /** The same about several requests. The Access Evaluations API of AuthZEN 1.0. Without `evaluations` it is one question. What one of them cannot be asked for is a decision of false with an error. */
  evaluateAll(input: { readonly body: Evaluations }): Promise<
    AdminAnswer<
      | {
          readonly evaluations: readonly EvaluationAnswer[];
        }
      | EvaluationAnswer
    >
  >;
}

/** Every method rejects with AdminCallError: a problem that was answered, or no answer at all. */
export function createAdminClient(transport: AdminTransport): AdminClient {
  return {
    getOpenApi: () => transport.call({ method: "GET", path: "/v1/openapi.json" }),
    getStatus: () => transport.call({ method: "GET", path: "/v1/status" }),
    getConfig: () => transport.call({ method: "GET", path: "/v1/config" }),
    reloadConfig: () => transport.call({ method: "POST", path: "/v1/config/reload" }),
    drain: () => transport.call({ method: "POST", path: "/v1/drain" }),
    listRoutes: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/routes",
        query: { limit: input.limit, cursor: input.cursor },
      }),
    listServices: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/services",
        query: { limit: input.limit, cursor: input.cursor },
      }),
    listAuthenticators: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/authenticators",
        query: { limit: input.limit, cursor: input.cursor },
      }),
    listWorkloads: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/workloads",
        query: { limit: input.limit, cursor: input.cursor, unusedSince: input.unusedSince },
      }),
    enrolWorkload: (input) =>
      transport.call({
        method: "POST",
        path: "/v1/workloads",
        headers: { "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    getWorkload: (input) =>
      transport.call({ method: "GET", path: `/v1/workloads/${encodeURIComponent(input.name)}` }),
    removeWorkload: (input) =>
      transport.call({
        method: "DELETE",
        path: `/v1/workloads/${encodeURIComponent(input.name)}`,
        headers: { "if-match": input.ifMatch },
      }),
    disableWorkload: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/workloads/${encodeURIComponent(input.name)}/disable`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    enableWorkload: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/workloads/${encodeURIComponent(input.name)}/enable`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
      }),
    reenrolWorkload: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/workloads/${encodeURIComponent(input.name)}/reenrol`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    listRevocations: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/revocations",
        query: { limit: input.limit, cursor: input.cursor },
      }),
    createRevocation: (input) =>
      transport.call({
        method: "POST",
        path: "/v1/revocations",
        headers: { "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    getRevocation: (input) =>
      transport.call({ method: "GET", path: `/v1/revocations/${encodeURIComponent(input.id)}` }),
    liftRevocation: (input) =>
      transport.call({
        method: "DELETE",
        path: `/v1/revocations/${encodeURIComponent(input.id)}`,
        query: { mode: input.mode },
        headers: { "if-match": input.ifMatch },
      }),
    listApiKeys: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/api-keys",
        query: {
          limit: input.limit,
          cursor: input.cursor,
          authenticator: input.authenticator,
          owner: input.owner,
          unusedSince: input.unusedSince,
        },
      }),
    createApiKey: (input) =>
      transport.call({
        method: "POST",
        path: "/v1/api-keys",
        headers: { "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    getApiKey: (input) =>
      transport.call({ method: "GET", path: `/v1/api-keys/${encodeURIComponent(input.id)}` }),
    removeApiKey: (input) =>
      transport.call({
        method: "DELETE",
        path: `/v1/api-keys/${encodeURIComponent(input.id)}`,
        headers: { "if-match": input.ifMatch },
      }),
    rotateApiKey: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/api-keys/${encodeURIComponent(input.id)}/rotate`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    revokeApiKey: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/api-keys/${encodeURIComponent(input.id)}/revoke`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    listClients: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/clients",
        query: { limit: input.limit, cursor: input.cursor, unusedSince: input.unusedSince },
      }),
    createClient: (input) =>
      transport.call({
        method: "POST",
        path: "/v1/clients",
        headers: { "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    getClient: (input) =>
      transport.call({ method: "GET", path: `/v1/clients/${encodeURIComponent(input.id)}` }),
    removeClient: (input) =>
      transport.call({
        method: "DELETE",
        path: `/v1/clients/${encodeURIComponent(input.id)}`,
        headers: { "if-match": input.ifMatch },
      }),
    addClientKey: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/clients/${encodeURIComponent(input.id)}/keys`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    removeClientKey: (input) =>
      transport.call({
        method: "DELETE",
        path: `/v1/clients/${encodeURIComponent(input.id)}/keys/${encodeURIComponent(input.key)}`,
        headers: { "if-match": input.ifMatch },
      }),
    disableClient: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/clients/${encodeURIComponent(input.id)}/disable`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
        body: input.body,
      }),
    enableClient: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/clients/${encodeURIComponent(input.id)}/enable`,
        headers: { "if-match": input.ifMatch, "idempotency-key": input.idempotencyKey },
      }),
    listKeys: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/keys",
        query: { limit: input.limit, cursor: input.cursor },
      }),
    rotateKey: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/keys/${encodeURIComponent(input.use)}/rotate`,
        headers: { "idempotency-key": input.idempotencyKey },
      }),
    rotateKeyNow: (input) =>
      transport.call({
        method: "POST",
        path: `/v1/keys/${encodeURIComponent(input.use)}/emergency`,
        headers: { "idempotency-key": input.idempotencyKey },
      }),
    listRoots: () => transport.call({ method: "GET", path: "/v1/roots" }),
    rotateRoot: (input = {}) =>
      transport.call({
        method: "POST",
        path: "/v1/roots/rotate",
        headers: { "idempotency-key": input.idempotencyKey },
      }),
    rotateRootNow: (input = {}) =>
      transport.call({
        method: "POST",
        path: "/v1/roots/emergency",
        headers: { "idempotency-key": input.idempotencyKey },
      }),
    listBundles: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/bundles",
        query: { limit: input.limit, cursor: input.cursor },
      }),
    getBundle: (input) =>
      transport.call({ method: "GET", path: `/v1/bundles/${encodeURIComponent(input.hash)}` }),
    explainDecision: (input) =>
      transport.call({ method: "GET", path: `/v1/decisions/${encodeURIComponent(input.id)}` }),
    getUsage: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/usage",
        query: {
          limit: input.limit,
          cursor: input.cursor,
          from: input.from,
          to: input.to,
          by: input.by,
          principal: input.principal,
          plan: input.plan,
          service: input.service,
          route: input.route,
          operation: input.operation,
        },
      }),
    listQuotas: (input = {}) =>
      transport.call({
        method: "GET",
        path: "/v1/usage/quotas",
        query: { limit: input.limit, cursor: input.cursor, principal: input.principal },
      }),
    evaluate: (input) =>
      transport.call({ method: "POST", path: "/access/v1/evaluation", body: input.body }),
    evaluateAll: (input) =>
      transport.call({ method: "POST", path: "/access/v1/evaluations", body: input.body }),
  };
}
