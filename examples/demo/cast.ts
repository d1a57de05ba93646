/**
 * Who takes part in the demo: the workloads and people that the provider knows, and what it says
 * about each of them in an access token. Change something here and watch decisions change.
 */

/** What a token must be meant for: the one resource server that the proxy stands for. */
export const AUDIENCE = "https://api.demo.example";

/** A resource server that is not the proxy; a token for it must not open anything here. */
export const OTHER_AUDIENCE = "https://elsewhere.demo.example";

/** An older resource server: tokens for it are opaque, and only the provider can read them. */
export const OLD_AUDIENCE = "https://old.demo.example";

export type Algorithm = "RS256" | "ES256" | "EdDSA";

/** Claims beside the registered ones; `sallyport.yaml` maps them to a principal. */
export interface Claims {
  readonly kind: "workload" | "user";
  readonly roles: readonly string[];
  /** Whether the caller is from outside the company. */
  readonly ext?: boolean;
}

export interface Workload {
  /** The client id, and the subject of its tokens. */
  readonly id: string;
  readonly algorithm: Algorithm;
  /** Seconds that its tokens live. */
  readonly lifetime: number;
  readonly claims: Claims;
  /** Whether its tokens are bound to a key of its own (DPoP, RFC 9449). */
  readonly bound?: boolean;
}

export interface Person {
  readonly id: string;
  readonly password: string;
  readonly claims: Claims;
}

/** Long enough to play with the printed commands, short enough to be gone the same day. */
const ONE_HOUR = 3600;

export const WORKLOADS: readonly Workload[] = [
  {
    id: "payments",
    algorithm: "RS256",
    lifetime: ONE_HOUR,
    claims: { kind: "workload", roles: ["AdminService"], ext: false },
  },
  {
    id: "orders",
    algorithm: "ES256",
    lifetime: ONE_HOUR,
    claims: { kind: "workload", roles: ["OrderService"], ext: false },
  },
  {
    id: "reports",
    algorithm: "EdDSA",
    lifetime: ONE_HOUR,
    claims: { kind: "workload", roles: ["Reader"], ext: false },
  },
  {
    id: "courier",
    algorithm: "ES256",
    lifetime: ONE_HOUR,
    claims: { kind: "workload", roles: ["Reader"], ext: false },
    bound: true,
  },
  {
    // Its tokens are for the older resource server, so they are opaque.
    id: "batch",
    algorithm: "ES256",
    lifetime: ONE_HOUR,
    claims: { kind: "workload", roles: ["Reader"], ext: false },
  },
  {
    // Its tokens are real ones that are dead a second later: so "expired" needs no forgery.
    id: "mayfly",
    algorithm: "ES256",
    lifetime: 1,
    claims: { kind: "workload", roles: ["AdminService"], ext: false },
  },
];

export const PEOPLE: readonly Person[] = [
  // alice works here; olga is somebody from outside. Passwords of a provider on loopback that is
  // gone when the demo ends.
  { id: "alice", password: "wonderland", claims: { kind: "user", roles: ["Clerk"], ext: false } },
  { id: "olga", password: "outside", claims: { kind: "user", roles: [] } },
];

/** The client through which people log in: a public one, so PKCE is what protects the code. */
export const LOGIN_CLIENT = "console";
export const LOGIN_REDIRECT = "http://127.0.0.1/callback";

/** What the provider knows the gate as: it logs people in, and asks about opaque tokens. */
export const GATE_CLIENT = "gate";

/** A workload that has a certificate and no token: its SPIFFE ID. */
export const LEDGER = "spiffe://demo.example/ledger";
