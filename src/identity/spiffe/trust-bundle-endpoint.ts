/**
 * The bundle of a trust domain from its bundle endpoint (SPIFFE Federation, section 5), kept current.
 *
 * - Asked again as the bundle's `spiffe_refresh_hint` says, within bounds of ours; one fetch at a time.
 * - A sequence number that goes back is refused (section 4.1.1 of Trust Domain and Bundle): an old
 *   bundle, shown again, would bring back keys that were taken away.
 * - While the endpoint is down, hangs, redirects or answers nonsense, the last good bundle serves, up to
 *   a bound; beyond it nobody of the trust domain is let in.
 * - With the profile https_spiffe the endpoint has to show an X.509-SVID with exactly the ID that is
 *   configured. What a host is called does not count there.
 */
import { certificateIn } from "../../crypto/certificate.ts";
import { pemText } from "../../crypto/issue-certificate.ts";
import { SallyportError } from "../../model/errors.ts";
import type { JsonValue } from "../../model/json.ts";
import type {
  Clock,
  Counter,
  DocumentFetcher,
  Gauge,
  Log,
  Metrics,
  ServerTrust,
  Timers,
} from "../../model/ports.ts";
import { svidOf } from "./mtls-svid.ts";
import { readBundleDocument, TRUST_BUNDLE_LIMITS, type TrustBundle } from "./trust-bundle.ts";
import { countKeys, CurrentBundle, type TrustBundleSource } from "./trust-bundle-source.ts";
import { endpointTrustDomain, type EndpointOptions } from "./trust-options.ts";

const LIMITS = {
  /** Without a hint (section 4.1.2): "five minutes". */
  defaultSeconds: 300,
  /** A hint of less is taken for a mistake; one of more would keep a key that was taken away. */
  minSeconds: 5,
  maxSeconds: 3600,
  /** First pause after a failure; it doubles up to the last. */
  retryMs: 5000,
  maxRetryMs: 60_000,
} as const;

export interface EndpointDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly fetcher: DocumentFetcher;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface EndpointSourceOptions {
  /** Of the authenticator, for logs and metrics. */
  readonly name: string;
  readonly trustDomain: string;
  readonly endpoint: EndpointOptions;
  /** With https_web: PEM of its own authorities. */
  readonly ca: string | undefined;
  /** With https_spiffe: the bundle of the endpoint's trust domain. */
  readonly endpointBundle: TrustBundle | undefined;
}

export function createEndpointSource(
  options: EndpointSourceOptions,
  deps: EndpointDeps,
): TrustBundleSource {
  return new EndpointSource(options, deps);
}

class EndpointSource implements TrustBundleSource {
  readonly trustDomain: string;
  readonly #options: EndpointSourceOptions;
  readonly #deps: EndpointDeps;
  readonly #bundle = new CurrentBundle();
  readonly #fetched: { readonly ok: Counter; readonly failed: Counter };
  readonly #loadedTimestamp: Gauge;
  /** The highest that was taken. It outlives the bundle: being down is no reason to go back. */
  #sequence: number | undefined;
  #fetchedMs: number | undefined;
  #failures = 0;
  #inFlight: Promise<void> | undefined;
  #cancelNext: () => void = () => undefined;
  #cancelEnd: () => void = () => undefined;
  #closed = false;

  constructor(options: EndpointSourceOptions, deps: EndpointDeps) {
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#deps = deps;
    const fetches = deps.metrics.counter(
      "sallyport_trust_bundle_fetches",
      "Fetches of a trust domain's bundle, by outcome.",
      ["authenticator", "outcome"],
    );
    const { name } = options;
    this.#fetched = { ok: fetches.with(name, "ok"), failed: fetches.with(name, "failed") };
    this.#loadedTimestamp = deps.metrics
      .gauge("sallyport_trust_bundle_loaded_timestamp_seconds", "When a trust bundle last came.", [
        "authenticator",
      ])
      .with(name);
  }

  get current(): TrustBundle | undefined {
    return this.#bundle.value;
  }

  start(): Promise<void> {
    return this.#bundle.value === undefined ? this.#refresh() : Promise.resolve();
  }

  onChange(run: () => void): () => void {
    return this.#bundle.onChange(run);
  }

  figures(): ReturnType<TrustBundleSource["figures"]> {
    return {
      usable: countKeys(this.#bundle.value),
      fetchedMs: this.#fetchedMs,
      failures: this.#failures,
    };
  }

  close(): void {
    this.#closed = true;
    this.#cancelNext();
    this.#cancelEnd();
    this.#bundle.end();
  }

  #refresh(): Promise<void> {
    this.#inFlight ??= this.#fetch().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #fetch(): Promise<void> {
    this.#cancelNext();
    let nextMs: number;
    try {
      const { endpoint } = this.#options;
      const { body } = await this.#deps.fetcher.fetchJson(endpoint.url, {
        timeoutMs: endpoint.timeout,
        maxBytes: TRUST_BUNDLE_LIMITS.bytes,
        server: this.#server(),
      });
      if (this.#closed) return;
      nextMs = this.#take(readBundleDocument(body as JsonValue, this.trustDomain));
    } catch (error) {
      if (this.#closed) return;
      nextMs = this.#fail(error);
    }
    this.#cancelNext = this.#deps.timers.after(nextMs, () => void this.#refresh());
  }

  #server(): ServerTrust | undefined {
    const { endpoint, ca, endpointBundle, trustDomain } = this.#options;
    if (endpoint.profile === "https_web") return ca === undefined ? undefined : { ca };
    // Section 5.2.2: one that serves its own trust domain is verified by what it served last.
    const own = endpointTrustDomain(endpoint) === trustDomain;
    const bundle = (own ? this.#bundle.value : undefined) ?? endpointBundle;
    if (bundle === undefined || bundle.x509.length === 0) {
      throw failed(`${endpoint.url}: the bundle of the endpoint's trust domain has no authority`);
    }
    return {
      ca: bundle.x509.map(({ der }) => pemText("CERTIFICATE", der)).join(""),
      check: (certificate) => whyNotEndpoint(certificate, endpoint.endpointSpiffeId),
    };
  }

  #take(next: TrustBundle): number {
    const { endpoint } = this.#options;
    const { sequence } = next;
    if (this.#sequence !== undefined && (sequence ?? -1) < this.#sequence) {
      throw failed(`${endpoint.url}: the sequence number of the bundle goes back`);
    }
    this.#sequence = sequence;
    this.#failures = 0;
    this.#fetchedMs = this.#deps.clock.now();
    this.#fetched.ok.inc();
    this.#loadedTimestamp.set(this.#fetchedMs / 1000);
    this.#cancelEnd();
    this.#cancelEnd = this.#deps.timers.after(endpoint.keep, () => this.#tooOld());
    this.#bundle.take(next);
    const { refreshHintSeconds = LIMITS.defaultSeconds } = next;
    const seconds = Math.min(Math.max(refreshHintSeconds, LIMITS.minSeconds), LIMITS.maxSeconds);
    return seconds * 1000;
  }

  #tooOld(): void {
    const { name, trustDomain } = this.#options;
    this.#deps.log.error("a trust bundle is staler than its bound: nobody is let in by it", {
      authenticator: name,
      trustDomain,
    });
    this.#bundle.take(undefined);
  }

  /** Returns the pause before the next attempt. */
  #fail(error: unknown): number {
    const { name, trustDomain } = this.#options;
    this.#failures += 1;
    this.#fetched.failed.inc();
    const retryMs = Math.min(LIMITS.retryMs * 2 ** (this.#failures - 1), LIMITS.maxRetryMs);
    this.#deps.log.warn("a trust bundle could not be fetched", {
      authenticator: name,
      trustDomain,
      usable: this.#bundle.value !== undefined,
      retryMs,
      error: error instanceof Error ? error : new Error("not an error"),
    });
    return retryMs;
  }
}

/** It has led to an authority of its trust domain; is it the one that was named? */
function whyNotEndpoint(certificate: Uint8Array, expected: string | undefined): string | undefined {
  const leaf = certificateIn(certificate);
  const id = svidOf(leaf);
  if ("detail" in id) return `the endpoint's certificate is no X.509-SVID: ${id.detail}`;
  return `spiffe://${id.trustDomain}${id.path}` === expected
    ? undefined
    : "the endpoint has another SPIFFE ID than endpointSpiffeId";
}

function failed(message: string): SallyportError {
  return new SallyportError("fetch-failed", message);
}
