/**
 * A decision record as the question that it answers: the request as policies saw it, and which parts of
 * it the record does not hold (hidden-environment.ts).
 */
import type { Actor } from "../../model/facts.ts";
import type { Authn, PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import type { RpcCall } from "../../model/rpc.ts";
import { parseAuthority } from "../../wire/authority.ts";
import { CedarRecord, EMPTY_RECORD } from "../cedar/values.ts";
import type { HiddenParts } from "./hidden-environment.ts";
import { clearValues, hiddenBody, type RecordedBody } from "./recorded-body.ts";
import {
  recordedHeaders,
  recordedQuery,
  type RecordedHash,
  type RecordedInputs,
} from "./recorded-inputs.ts";
import { PartialRecord, type Unknown } from "./unknown.ts";

/** What of a decision record the question comes from: the members of `audit/record-schema.ts`. */
export interface RecordedRequest extends RecordedInputs {
  readonly action?: string | undefined;
  readonly actor?: RecordedActor | undefined;
  /** Of a question that somebody else asked; its address is the subject's, or not known. */
  readonly asked?: { readonly time?: string | undefined } | undefined;
  readonly authn?: RecordedAuthn | undefined;
  readonly body?: RecordedBody | undefined;
  readonly clientAddress?: string | undefined;
  readonly device?: Principal | undefined;
  readonly host?: string | undefined;
  readonly method?: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly path?: string | undefined;
  readonly peerAddress: string;
  readonly principal?: Principal | undefined;
  readonly route?: string | undefined;
  readonly rpc?: RpcCall | undefined;
  readonly scopes: readonly string[];
  readonly servicePath?: string | undefined;
  readonly time: string;
  readonly workload?: Principal | undefined;
}

type RecordedAuthn = Omit<Authn, "acr"> & { readonly acr?: string | undefined };
type RecordedActor = Omit<Actor, "issuer" | "clientId"> & {
  readonly issuer?: string | undefined;
  readonly clientId?: string | undefined;
};

export type { RecordedHash } from "./recorded-inputs.ts";

export interface AskedAgain {
  readonly request: PolicyRequest;
  readonly hidden: HiddenParts;
}

/**
 * Undefined where policies cannot have been asked: the caller, the route or the request itself was not
 * known. Without `hash` (its key is lost or elsewhere) no recorded value can be compared.
 */
export function recordedRequest(
  record: RecordedRequest,
  hash?: RecordedHash,
): AskedAgain | undefined {
  const { principal, authn, route, path, method, params, query, actor } = record;
  if (principal === undefined || authn === undefined || route === undefined) return undefined;
  if (path === undefined || method === undefined) return undefined;
  const request: PolicyRequest = {
    principal,
    action: record.action ?? method,
    route,
    path,
    host: hostOf(record.host),
    method,
    servicePath: record.servicePath,
    params,
    query,
    // Fields are never read of it: `hidden.headers` stands for them.
    fields: [],
    ip: record.clientAddress ?? (record.asked === undefined ? record.peerAddress : ""),
    timeMs: Date.parse(record.asked?.time ?? record.time),
    scopes: record.scopes,
    authn: { ...authn, acr: authn.acr },
    workload: record.workload,
    device: record.device,
    actor: actor && { ...actor, issuer: actor.issuer, clientId: actor.clientId },
    body: record.body && clearValues(record.body),
    rpc: record.rpc,
  };
  return {
    request,
    hidden: {
      context: hiddenMembers(record, hash),
      headers: recordedHeaders(record, hash),
      query: recordedQuery(record, hash),
    },
  };
}

/** The record has the host with its port, policies see it without. */
function hostOf(authority: string | undefined): string {
  return authority === undefined ? "" : (parseAuthority(authority)?.host ?? authority);
}

/** Of `context`, what the record does not hold. */
function hiddenMembers(record: RecordedRequest, hash?: RecordedHash): ReadonlyMap<string, Unknown> {
  const unknown = cutMembers(record);
  const body = record.body && hiddenBody(record.body, hash);
  if (body !== undefined) unknown.set("body", body);
  return unknown;
}

/** Texts that were too long for the record. */
function cutMembers({ truncated, params }: RecordedRequest): Map<string, Unknown> {
  const unknown = new Map<string, Unknown>();
  for (const name of ["path", "host", "method"]) {
    if (truncated[name] !== undefined) {
      unknown.set(name, { name: `context.${name}`, type: "string" });
    }
  }
  if (truncated["path"] !== undefined || truncated["servicePath"] !== undefined) {
    unknown.set("parameters", cutParameters());
  }
  const cut = Object.keys(params).filter((name) => truncated[`params.${name}`] !== undefined);
  if (cut.length > 0) unknown.set("params", cutParams(params, cut));
  return unknown;
}

/** Some of them are segments of the path; which those are is not known here. */
function cutParameters(): Unknown {
  const name = "context.parameters";
  const open = { maybeAbsent: true, mayErr: true };
  const options = { name, known: EMPTY_RECORD, unknown: new Map<string, Unknown>(), open };
  return { name, value: new PartialRecord(options), maybeAbsent: true };
}

function cutParams(params: Readonly<Record<string, string>>, cut: readonly string[]): Unknown {
  const name = "context.params";
  const known = new CedarRecord(new Map(Object.entries(params)));
  const unknown = new Map(
    cut.map((own) => [own, { name: `${name}.${own}`, type: "string" } as const]),
  );
  return { name, value: new PartialRecord({ name, known, unknown }) };
}
