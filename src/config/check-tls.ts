/** Certificates, keys and revocation lists that a configuration names have to be usable, and keys secret. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type ReadFile, readPair, readTrust } from "../http/tls-material.ts";
import { certificatePairs, type ListenerTlsOptions, type PairFiles } from "../http/tls-options.ts";
import { SallyportError } from "../model/errors.ts";
import type { Draft, Part } from "./draft.ts";
import type { ServiceOptions } from "./schema.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

/** Files that cannot be read, hold something else, or do not belong together. */
export function checkTlsFiles(
  draft: Draft,
  folder: string,
  options: ServiceFiles = { publicOnly: false },
): PathProblem[] {
  const read: ReadFile = (file) => readFileSync(resolve(folder, file));
  return [...listenerProblems(draft, read), ...serviceProblems(draft, read, options)];
}

/** `publicOnly`: pairs of certificate and key for services are elsewhere. */
interface ServiceFiles {
  readonly publicOnly: boolean;
}

/** Every place that speaks TLS to callers. */
function listening({ listeners, admin }: Draft): readonly ListenerPlace[] {
  const own = admin === undefined ? [] : [{ path: ["admin"], options: admin }];
  return [...listeners, ...own];
}

interface ListenerPlace {
  readonly path: Path;
  readonly options: { readonly tls?: ListenerTlsOptions | undefined };
}

function listenerProblems(draft: Draft, read: ReadFile): PathProblem[] {
  return listening(draft).flatMap(({ path, options: { tls } }) => {
    if (tls === undefined) return [];
    const problems = pairPlaces(tls, [...path, "tls"]).flatMap(({ pair, at }) =>
      attempt(at, "a PEM certificate and its key", () => readPair(pair, read)),
    );
    const { clients } = tls;
    if (clients === undefined) return problems;
    const { ca, crl } = clients;
    if (ca === undefined) return problems;
    const at = [...path, "tls", "clients"];
    const remedy = "a PEM file with the authorities of callers";
    const authorities = attempt([...at, "ca"], remedy, () => readTrust({ ca }, read));
    // Both are read together, so a bad list is only told from a bad authority by this.
    const lists =
      authorities.length > 0 || crl === undefined
        ? []
        : attempt([...at, "crl"], "revocation lists, PEM or DER", () =>
            readTrust({ ca, crl }, read),
          );
    return [...problems, ...authorities, ...lists];
  });
}

function serviceProblems(draft: Draft, read: ReadFile, options: ServiceFiles): PathProblem[] {
  return draft.services.flatMap((service) => reachedProblems(service, read, options));
}

/** Of whatever is reached by TLS. */
export function reachedProblems(
  {
    path,
    options: { tls, endpoints },
  }: Pick<Part<Pick<ServiceOptions, "tls" | "endpoints">>, "path" | "options">,
  read: ReadFile,
  { publicOnly }: ServiceFiles,
): PathProblem[] {
  if (tls === undefined) return [];
  const at = [...path, "tls"];
  if (!endpoints.some(({ secure }) => secure === true)) {
    const message = '"tls" has no effect: no endpoint is https: or h2:';
    return [{ path: at, message, remedy: "an endpoint https://host:port, or no tls" }];
  }
  const { ca, certificate, key } = tls;
  const problems: PathProblem[] = [];
  if (ca !== undefined) {
    const remedy = "a PEM file with the authorities of the service";
    problems.push(...attempt([...at, "ca"], remedy, () => readTrust({ ca }, read)));
  }
  if (certificate !== undefined && key !== undefined && !publicOnly) {
    const pair = { certificate, key };
    problems.push(
      ...attempt([...at, "certificate"], "a PEM certificate and its key", () =>
        readPair(pair, read),
      ),
    );
  }
  return problems;
}

/** Findings that do not keep it from running: keys that others can read, certificates that have expired. */
export function checkTlsWarnings(
  draft: Draft,
  folder: string,
  { publicOnly }: ServiceFiles = { publicOnly: false },
): PathProblem[] {
  const read: ReadFile = (file) => readFileSync(resolve(folder, file));
  const judge = ({ pair, at }: PairPlace): PathProblem[] => {
    try {
      const { leaf } = readPair(pair, read);
      return [...openKey(pair.key, { at, folder }), ...expiry(leaf, at)];
    } catch {
      return []; // it is a problem already
    }
  };
  const listeners = listening(draft).flatMap(({ path, options: { tls } }) =>
    tls === undefined ? [] : pairPlaces(tls, [...path, "tls"]).flatMap(judge),
  );
  const services = draft.services.flatMap(({ path, options: { tls } }) => {
    if (tls === undefined) return [];
    const at = [...path, "tls"];
    const { certificate, key, insecureSkipVerify } = tls;
    const own =
      certificate === undefined || key === undefined || publicOnly
        ? []
        : judge({ pair: { certificate, key }, at });
    return [...own, ...(insecureSkipVerify ? [unverified([...at, "insecureSkipVerify"])] : [])];
  });
  return [...listeners, ...services];
}

function unverified(path: Path): PathProblem {
  const message =
    "any certificate is taken from this service: who is on the way can read and change all";
  return { path, message, remedy: "ca, with the authority of the service" };
}

/** A finding where others can read a private key. */
export function openKey(
  file: string,
  { at, folder }: { readonly at: Path; readonly folder: string },
): PathProblem[] {
  const mode = statSync(resolve(folder, file)).mode & 0o777;
  if ((mode & 0o077) === 0) return [];
  const message = `the key file "${file}" is open to others (mode ${mode.toString(8).padStart(4, "0")})`;
  return [{ path: at, message, remedy: "chmod 600" }];
}

function expiry(
  { subject, notAfter }: { readonly subject: string; readonly notAfter: number },
  path: Path,
): PathProblem[] {
  if (notAfter > Date.now()) return [];
  const message = `the certificate of ${subject} expired at ${new Date(notAfter).toISOString()}`;
  return [{ path, message, remedy: "a new certificate; it is read without a restart" }];
}

interface PairPlace {
  readonly pair: PairFiles;
  readonly at: Path;
}

function pairPlaces(tls: ListenerTlsOptions, path: Path): PairPlace[] {
  return certificatePairs(tls).map((pair, index) => ({
    pair,
    at: tls.certificates === undefined ? path : [...path, "certificates", index],
  }));
}

/** Nothing, or what is thrown as what is wrong there. */
export function attempt(path: Path, remedy: string, action: () => unknown): PathProblem[] {
  try {
    action();
    return [];
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return [{ path, message: error.message, remedy }];
  }
}
