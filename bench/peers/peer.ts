/**
 * A proxy that is measured. All are written to one outline: what it needs, and how it is started in
 * front of the service; what it must answer before a figure of it counts follows from its algorithm.
 */
import type { Certificate } from "../load/certificate.ts";
import type { Credentials } from "../load/credentials.ts";
import type { Service } from "../load/service.ts";
import type { Requirement } from "../machine/requirements.ts";
import type { Program, Site } from "../machine/site.ts";

export interface Peer {
  /** As `--only` names it. */
  readonly name: string;
  /** As the table names it. */
  readonly title: string;
  /** How it authenticates callers; `none` forwards everything. */
  readonly authenticates: "none" | "RS256" | "ES256";
  /** Whether it also asks for the role, so that a good token without it is refused. */
  readonly authorizes: boolean;
  /** What its callers ask for in turn. */
  readonly paths: readonly string[];
  readonly requires: readonly Requirement[];
  /** Callers come over TLS. */
  readonly tls?: boolean;
  /** Callers speak HTTP/2: by prior knowledge, over TLS by ALPN. */
  readonly http2?: boolean;
  /** Takes part only where its program is there, or where it is named. */
  readonly optional?: boolean;
  /** Starts it on the core; it may not accept connections yet. */
  start(place: PeerPlace): Promise<StartedPeer>;
}

export interface PeerPlace {
  readonly site: Site;
  readonly core: number;
  readonly service: Service;
  /** Where Sallyport writes CPU profiles, when they are asked for. */
  readonly profile: string | undefined;
  readonly credentials: Readonly<Record<"RS256" | "ES256", Credentials>>;
  /** What those that speak TLS show their callers. */
  readonly certificate: Certificate;
}

export interface StartedPeer {
  readonly program: Program;
  readonly port: number;
}

/** What callers ask for where nothing else is said; every peer forwards it as it is. */
export const RECORD_PATHS: readonly string[] = Array.from(
  { length: 50 },
  (_, index) => `/billing/records/2026-${1000 + index}`,
);
