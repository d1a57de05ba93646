/**
 * The machine's side of `/roots`, `/enrol` and `/renew`, over `node:https`.
 *
 * Whoever stands between learns nothing: roots are fetched over a connection that is not believed, those
 * count whose hash the join token names, and only over a second connection, to a server that these roots
 * vouch for under the name that was dialled, is anything sent. Bounded in time and size; follows no
 * redirect; takes no proxy and no trust from the environment.
 */
import { request } from "node:https";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { parseCertificate } from "../../crypto/certificate.ts";
import { pemText } from "../../crypto/issue-certificate.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonObject, parseJson } from "../../model/json.ts";
import { connectionFault } from "../connection-fault.ts";
import { pinOf } from "./enrolment-token.ts";

const LIMITS = {
  /** For a whole exchange; an authority answers within tens of milliseconds. */
  timeoutMs: 10_000,
  /** Bytes of an answer: a certificate and eight roots have some ten thousand. */
  answer: 256 * 1024,
  roots: 64,
} as const;

export interface AuthorityAnswer {
  readonly status: number;
  /** Of the problem document. */
  readonly code: string | undefined;
  /** Empty where the answer is no JSON object. */
  readonly body: JsonObject;
}

export interface AuthorityTrust {
  readonly roots: readonly string[];
  /** Our certificate and its key, PEM. */
  readonly own?: { readonly certificate: string; readonly key: string } | undefined;
}

/** The authority's roots that these pins name. Throws `enrolment-failed`: nothing was sent by then. */
export async function fetchPinnedRoots(
  authority: string,
  pins: readonly string[],
): Promise<readonly string[]> {
  const { status, text } = await exchange(new URL("/roots", authority), {
    method: "GET",
    // Not believed: what counts of the answer is what the pins name.
    tls: { rejectUnauthorized: false },
  });
  const roots = status === 200 ? pemBlocks(text, "CERTIFICATE").slice(0, LIMITS.roots) : [];
  const pinned = roots.filter((der) => isPinned(der, pins));
  if (pinned.length > 0) return pinned.map((der) => pemText("CERTIFICATE", der));
  throw failed(
    status === 200
      ? `${authority} has another certificate authority than the join token names; nothing was sent. Is this the authority that made the token, and is nobody in between?`
      : `${authority} is no authority of sallyport: it answered ${status} to /roots`,
  );
}

/** Sends a proof. Throws `enrolment-failed` where there is no answer. */
export async function sendProof(
  url: URL,
  proof: string,
  { roots, own }: AuthorityTrust,
): Promise<AuthorityAnswer> {
  const { status, text } = await exchange(url, {
    method: "POST",
    body: proof,
    // Both said here, so that no environment variable can switch the check off.
    tls: {
      rejectUnauthorized: true,
      checkServerIdentity: checkAuthority,
      ca: roots.join(""),
      ...(own && { cert: own.certificate, key: own.key }),
    },
  });
  const body = readObject(text);
  const code = typeof body["code"] === "string" ? body["code"] : undefined;
  return { status, code, body };
}

/**
 * Its name as everybody checks it (RFC 9525), and that it is no machine: proxies have certificates of
 * the same CA that serve under the proxy's own name (relays), and whoever may enrol machines could call
 * one as the authority is called. Machines have a SPIFFE ID in their certificate, the authority none.
 */
function checkAuthority(host: string, certificate: PeerCertificate): Error | undefined {
  const fault = checkServerIdentity(host, certificate);
  if (fault !== undefined) return fault;
  if (!/(?:^|, )"?URI:/.test(certificate.subjectaltname ?? "")) return undefined;
  return Object.assign(new Error("the certificate is that of a machine"), { code: "IS_A_MACHINE" });
}

interface ExchangeOptions {
  readonly method: "GET" | "POST";
  readonly body?: string;
  readonly tls: {
    readonly rejectUnauthorized: boolean;
    readonly checkServerIdentity?: typeof checkAuthority;
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
}

function exchange(
  url: URL,
  { method, body, tls }: ExchangeOptions,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void => {
      clearTimeout(deadline);
      outgoing.destroy();
      reject(failed(`${url.origin}: ${detail}`, cause));
    };
    const outgoing = request(url, {
      method,
      // No agent: a connection has the certificate that it began with.
      agent: false,
      headers: {
        accept: "application/json, application/pem-certificate-chain",
        ...(body !== undefined && {
          "content-type": "application/jose",
          "content-length": Buffer.byteLength(body),
        }),
      },
      minVersion: "TLSv1.2",
      ...tls,
    });
    const deadline = setTimeout(
      () => fail(`no complete answer within ${LIMITS.timeoutMs / 1000} s`),
      LIMITS.timeoutMs,
    );
    outgoing.on("error", (error) => fail(connectionFault(error), error));
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > LIMITS.answer) fail(`the answer is larger than ${LIMITS.answer} bytes`);
        else chunks.push(chunk);
      });
      response.on("error", (error) => fail(connectionFault(error), error));
      response.on("close", () => fail("the connection closed within the answer"));
      response.on("end", () => {
        if (!response.complete) return fail("the connection closed within the answer");
        clearTimeout(deadline);
        outgoing.destroy();
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    outgoing.end(body);
  });
}

function isPinned(der: Buffer, pins: readonly string[]): boolean {
  try {
    const { spki, extensions } = parseCertificate(der);
    return extensions.authority && pins.includes(pinOf(spki));
  } catch {
    // Not one of ours, then.
    return false;
  }
}

function readObject(text: string): JsonObject {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

function failed(message: string, cause?: unknown): SallyportError {
  return new SallyportError("enrolment-failed", message, { cause });
}
