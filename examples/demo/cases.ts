/**
 * What there is to try, and the answer that each request should get. The printed commands and
 * `--check` are both made from this one list.
 */
import type { Person } from "./cast.ts";
import type { ServiceName } from "./services.ts";
import type { TokenName } from "./wallet.ts";

export interface Case {
  readonly title: string;
  /** Whose token it carries; undefined for none. */
  readonly token?: TokenName;
  /** GET unless it says otherwise. */
  readonly method?: string;
  /** Where it goes: plain HTTP, or TLS with or without the ledger's certificate. Plain when left out. */
  readonly door?: "mesh" | "ledger";
  /** The target that its proof of possession is made for. */
  readonly proofFor?: string;
  /** Who opens it in a browser, and logs in on the way. */
  readonly browser?: Person["id"];
  /** Request target, sent as it stands. */
  readonly target: string;
  /** Fields beside Host and Authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** The reason in the answer and in the audit log. */
  readonly reason: string;
  /** The service that the request reaches, and the path that it sees. */
  readonly reaches?: { readonly service: ServiceName; readonly path: string };
}

export interface Chapter {
  readonly title: string;
  readonly cases: readonly Case[];
}

const OK = { status: 200, reason: "permitted" } as const;

export const CHAPTERS: readonly Chapter[] = [
  {
    title: "Services call services, as far as their role goes",
    cases: [
      {
        title: "payments (AdminService) queries billing records",
        token: "payments",
        target: "/billing/records?month=11",
        ...OK,
        reaches: { service: "billing", path: "/records?month=11" },
      },
      {
        title: "orders (OrderService) may not",
        token: "orders",
        target: "/billing/records?month=11",
        status: 403,
        reason: "no-permit",
      },
      {
        title: "payments may query records, not write them",
        token: "payments",
        method: "POST",
        target: "/billing/records",
        status: 403,
        reason: "no-permit",
      },
      {
        title: "payments may query records, nothing else there",
        token: "payments",
        target: "/billing/settings",
        status: 403,
        reason: "no-permit",
      },
      {
        title: "orders writes to its own service (token signed with ES256)",
        token: "orders",
        method: "POST",
        target: "/orders/list",
        ...OK,
        reaches: { service: "orders", path: "/list" },
      },
      {
        title: "reports (Reader) reads orders (token signed with Ed25519)",
        token: "reports",
        target: "/orders/list",
        ...OK,
        reaches: { service: "orders", path: "/list" },
      },
    ],
  },
  {
    title: "People: alice works here, olga is from outside",
    cases: [
      {
        title: "alice reads orders",
        token: "alice",
        target: "/orders/list",
        ...OK,
        reaches: { service: "orders", path: "/list" },
      },
      {
        title: "olga reaches the catalogue",
        token: "olga",
        target: "/catalogue/items",
        ...OK,
        reaches: { service: "catalogue", path: "/items" },
      },
      {
        title: "olga reaches no orders",
        token: "olga",
        target: "/orders/list",
        status: 403,
        reason: "forbidden",
      },
      {
        title: "olga reaches no billing",
        token: "olga",
        target: "/billing/records",
        status: 403,
        reason: "forbidden",
      },
    ],
  },
  {
    title: "Other ways to be known",
    cases: [
      {
        title: "ledger (a SPIFFE certificate, no token) queries billing records",
        door: "ledger",
        target: "/billing/records",
        ...OK,
        reaches: { service: "billing", path: "/records" },
      },
      {
        title: "the same door without a certificate",
        door: "mesh",
        target: "/billing/records",
        status: 401,
        reason: "missing-credential",
      },
      {
        title: "courier (a token bound to its key, DPoP) reads orders with its proof",
        token: "courier",
        proofFor: "/orders/list",
        target: "/orders/list",
        ...OK,
        reaches: { service: "orders", path: "/list" },
      },
      {
        title: "a proof for another path",
        token: "courier",
        proofFor: "/catalogue/items",
        target: "/orders/list",
        status: 401,
        reason: "invalid-proof",
      },
      {
        title: "the courier's token in a thief's hands, without the key",
        token: "stolen",
        target: "/orders/list",
        status: 401,
        reason: "missing-proof",
      },
      {
        title: "batch (an opaque token, which the provider is asked about) reads orders",
        token: "batch",
        target: "/orders/list",
        ...OK,
        reaches: { service: "orders", path: "/list" },
      },
      {
        title: "an opaque token that was never issued",
        token: "invented",
        target: "/orders/list",
        status: 401,
        reason: "inactive-token",
      },
      {
        title: "alice opens the desk in a browser and logs in (alice / wonderland)",
        browser: "alice",
        target: "/desk/list",
        ...OK,
        reaches: { service: "orders", path: "/list" },
      },
      {
        title: "olga logs in too (olga / outside), and is from outside",
        browser: "olga",
        target: "/desk/list",
        status: 403,
        reason: "forbidden",
      },
      {
        title: "a script without a session is sent nowhere",
        target: "/desk/list",
        status: 401,
        reason: "missing-credential",
      },
    ],
  },
  {
    title: "Tokens that open nothing",
    cases: [
      { title: "no token", target: "/billing/records", status: 401, reason: "missing-credential" },
      {
        title: "an expired one",
        token: "expired",
        target: "/billing/records",
        status: 401,
        reason: "token-expired",
      },
      {
        title: "one of another issuer",
        token: "stranger",
        target: "/billing/records",
        status: 401,
        reason: "unknown-issuer",
      },
      {
        title: "one with a changed byte",
        token: "changed",
        target: "/billing/records",
        status: 401,
        reason: "invalid-signature",
      },
      {
        title: "one that is meant for somebody else",
        token: "elsewhere",
        target: "/billing/records",
        status: 401,
        reason: "wrong-audience",
      },
      {
        title: "one without a signature",
        token: "unsigned",
        target: "/billing/records",
        status: 401,
        reason: "algorithm-not-allowed",
      },
    ],
  },
  {
    title: "Tricks",
    cases: [
      {
        title: "orders goes to billing through the catalogue",
        token: "orders",
        target: "/catalogue/../billing/records",
        status: 403,
        reason: "no-permit",
      },
      {
        title: "… with an encoded slash",
        token: "orders",
        target: "/catalogue/..%2fbilling/records",
        status: 400,
        reason: "ambiguous-path",
      },
      {
        title: "… with a double escape",
        token: "orders",
        target: "/catalogue/%252e%252e/billing/records",
        status: 400,
        reason: "ambiguous-path",
      },
      {
        title: "payments in a false moustache: the service never sees it",
        token: "payments",
        target: "/billing/records",
        headers: { "x-sallyport-subject": "root", X_Forwarded_For: "10.0.0.1" },
        ...OK,
        reaches: { service: "billing", path: "/records" },
      },
      {
        title: "a method that the route does not list",
        token: "payments",
        method: "DELETE",
        target: "/billing/records",
        status: 405,
        reason: "method-not-allowed",
      },
      {
        title: "a path that no route names",
        token: "payments",
        target: "/admin/users",
        status: 404,
        reason: "no-route",
      },
    ],
  },
];

export const CASES: readonly Case[] = CHAPTERS.flatMap(({ cases }) => cases);
