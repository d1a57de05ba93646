/**
 * The authorities of authenticators by their names, for listeners that verify callers by them. It
 * outlives configurations: a listener stays open while a reload puts other authenticators in force.
 */
import type { Certificate } from "../../crypto/certificate.ts";
import type { TrustBundleSource } from "./trust-bundle-source.ts";

export interface TrustDirectory {
  /** From now on these are in force, by the names of their authenticators. */
  publish(sources: ReadonlyMap<string, TrustBundleSource>): void;
  /** Of all that are named, kept current. To be closed with the listener. */
  of(names: readonly string[]): NamedAuthorities;
}

export interface NamedAuthorities {
  /** Others are another reference. */
  readonly current: {
    readonly anchors: readonly Certificate[];
    /** Trust domains whose bundle is not there now. */
    readonly unknown: ReadonlySet<string>;
  };
  onChange(run: () => void): () => void;
}

export function createTrustDirectory(): TrustDirectory {
  let inForce: ReadonlyMap<string, TrustBundleSource> = new Map();
  let callOff: readonly (() => void)[] = [];
  /** Those that somebody listens to: of a listener that closed nothing is left. */
  const heard = new Set<() => void>();

  function publish(sources: ReadonlyMap<string, TrustBundleSource>): void {
    for (const end of callOff) end();
    inForce = sources;
    callOff = [...sources.values()].map((source) => source.onChange(tell));
    tell();
  }

  function tell(): void {
    for (const look of heard) look();
  }

  function of(names: readonly string[]): NamedAuthorities {
    let current = gather(names);
    return {
      get current() {
        return current;
      },
      onChange(run) {
        const look = (): void => {
          const next = gather(names);
          if (same(current, next)) return;
          current = next;
          run();
        };
        heard.add(look);
        look();
        return () => void heard.delete(look);
      },
    };
  }

  function gather(names: readonly string[]): NamedAuthorities["current"] {
    const anchors = new Map<string, Certificate>();
    const unknown = new Set<string>();
    for (const name of names) {
      const source = inForce.get(name);
      const bundle = source?.current;
      if (source !== undefined && bundle === undefined) unknown.add(source.trustDomain);
      for (const one of bundle?.x509 ?? []) anchors.set(one.thumbprint, one);
    }
    return { anchors: [...anchors.values()], unknown };
  }

  return { publish, of };
}

function same(one: NamedAuthorities["current"], other: NamedAuthorities["current"]): boolean {
  const text = ({ anchors, unknown }: NamedAuthorities["current"]): string =>
    JSON.stringify([
      anchors.map(({ thumbprint }) => thumbprint).toSorted(),
      [...unknown].toSorted(),
    ]);
  return text(one) === text(other);
}
