/**
 * The register of enrolled machines: who is invited, enrolled, disabled, and when each was last there.
 *
 * A join token is single-use, lasts ten minutes by the store's clock, and is kept as a hash only. Of
 * one machine at most one is out: a new one ends the one before it. Every change is one commit with
 * the expectation that nothing changed since it was read, so two authorities over one store never both
 * win.
 */
import { parseCertificate } from "../../crypto/certificate.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { Store, StoredDocument, Write } from "../../model/store.ts";
import type {
  Invitation,
  Workload,
  WorkloadChange,
  WorkloadRefusal,
  WorkloadRegister,
} from "../../model/workloads.ts";
import { pinOf, TOKEN_LIMITS, tokenHash, writeJoinToken } from "./enrolment-token.ts";
import { createLastSeen } from "./workload-last-seen.ts";
import { isWorkloadName, trustDomainOf } from "./workload-id.ts";
import { createWorkloadReport } from "./workload-report.ts";
import { bodyOf, readSeen, readWorkload, viewOf, type WorkloadRecord } from "./workload-record.ts";

const LIMITS = {
  /** A token is carried by hand from one terminal to another; ten minutes are enough for that. */
  tokenMs: 10 * 60_000,
  /** Somebody else changed the same machine so often in between: it is contended, and the caller is told. */
  attempts: 5,
  reasonChars: 1000,
} as const;

export interface WorkloadRegisterDeps {
  readonly store: Store;
  /** PEM of the authority's own roots: tokens name them. */
  readonly ca: { roots(): readonly string[] };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly metrics: Metrics;
  /** As in the configuration: its host is the trust domain of the machines' names. */
  readonly issuer: string;
  /** Where machines reach `authority.serve`, for the token; undefined: who enrols has to say it. */
  readonly authority?: string | undefined;
}

export function createWorkloadRegister(deps: WorkloadRegisterDeps): WorkloadRegister {
  const { store, clock } = deps;
  const trustDomain = trustDomainOf(deps.issuer);
  const lastSeen = createLastSeen(deps);

  const view = (document: StoredDocument, seenMs: number | undefined): Workload =>
    viewOf(document, readWorkload(document), { trustDomain, nowMs: clock.now(), seenMs });

  async function get(name: string): Promise<Workload | undefined> {
    if (!isWorkloadName(name)) return undefined;
    const [document, seen] = await Promise.all([
      store.get("workloads", name),
      store.get("last-seen", name),
    ]);
    return document && view(document, readSeen(seen));
  }

  /** Reads, changes and commits, again where another was faster and the caller did not say what it must be. */
  async function change(
    name: string,
    expect: number | undefined,
    edit: EditRecord,
  ): Promise<Workload | WorkloadRefusal> {
    if (!isWorkloadName(name)) return { refused: "absent" };
    for (let attempt = 0; attempt < LIMITS.attempts; attempt++) {
      const document = await store.get("workloads", name);
      if (document === undefined) return { refused: "absent" };
      if (expect !== undefined && expect !== document.number) return { refused: "changed" };
      const { timeMs } = await store.now();
      const edited = edit(readWorkload(document), timeMs);
      if ("refused" in edited) return edited;
      const { record, writes = [] } = edited;
      const body = bodyOf(record);
      const commit = await store.commit([
        { collection: "workloads", id: name, body, expect: document.number },
        ...writes,
      ]);
      if (commit.conflict === undefined) {
        const seen = await store.get("last-seen", name);
        return view({ ...document, body, number: commit.number }, readSeen(seen));
      }
    }
    return { refused: "changed" };
  }

  /** Makes a token and hands `apply` the edit that puts it into the record. */
  async function invite(
    name: string,
    by: string,
    apply: (edit: EditRecord) => Promise<Workload | WorkloadRefusal>,
  ): Promise<Invitation | WorkloadRefusal> {
    const secret = Buffer.from(deps.randomBytes(TOKEN_LIMITS.secretBytes)).toString("base64url");
    const pins = deps.ca.roots().map(rootPin);
    const { issuer, authority } = deps;
    let token = "";
    let expiresMs = 0;
    const result = await apply((record, nowMs) => {
      const { kind, method } = record;
      token = writeJoinToken({ secret, pins, name, kind, method, issuer, authority });
      expiresMs = nowMs + LIMITS.tokenMs;
      const id = tokenHash(secret);
      return {
        record: { ...record, invitation: { token: id, expiresMs, by } },
        writes: [
          ...endInvitation(record),
          { collection: "join-tokens", id, body: bodyOf({ name }), expiresMs, expect: "absent" },
        ],
      };
    });
    if ("refused" in result) return result;
    return { workload: result, token, expiresMs };
  }

  const list: WorkloadRegister["list"] = async ({ after, limit, unusedSinceMs }) => {
    const documents = await store.list("workloads", { after, limit });
    const times = await seenOf(store, documents, { after, limit });
    const next = documents.length < limit ? undefined : documents.at(-1)?.id;
    const workloads = documents.map((document) => view(document, times.get(document.id)));
    if (unusedSinceMs === undefined) return { workloads, next };
    const unused = workloads.filter(
      ({ seenMs, createdMs }) => (seenMs ?? createdMs) < unusedSinceMs,
    );
    return { workloads: unused, next };
  };

  const report = createWorkloadReport({ ...deps, list });

  return {
    get,
    async enrol(name, { kind, method, by }) {
      if (!isWorkloadName(name)) throw new TypeError(`not a name of a workload: ${name}`);
      // The feed and enrolment are over mTLS: a proxy without a certificate could reach neither.
      if (kind === "proxy" && method !== "mtls") throw new TypeError("a proxy enrols with mtls");
      return invite(name, by, async (edit) => {
        const [document, { timeMs }] = await Promise.all([
          store.get("workloads", name),
          store.now(),
        ]);
        if (document !== undefined) {
          const { key, disabled, invitation } = readWorkload(document);
          const open = invitation !== undefined && timeMs < invitation.expiresMs;
          if (key !== undefined || disabled !== undefined || open) return { refused: "exists" };
        }
        const edited = edit({ kind, method, createdMs: timeMs, createdBy: by }, timeMs);
        if ("refused" in edited) return edited;
        const body = bodyOf(edited.record);
        const expect = document?.number ?? "absent";
        const commit = await store.commit([
          { collection: "workloads", id: name, body, expect },
          ...(edited.writes ?? []),
        ]);
        // Only another who enrols the same name can have been faster.
        if (commit.conflict !== undefined) return { refused: "exists" };
        const { number } = commit;
        return viewOf({ id: name, number }, edited.record, {
          trustDomain,
          nowMs: clock.now(),
          seenMs: undefined,
        });
      });
    },
    reenrol(name, { by, expect, now = false }) {
      return invite(name, by, (edit) =>
        change(name, expect, (record, nowMs) => {
          if (now) return withWrites(edit(withoutKey(record), nowMs), [endKeys(name)]);
          return record.disabled === undefined ? edit(record, nowMs) : { refused: "disabled" };
        }),
      );
    },
    list,
    disable(name, { by, reason, expect }) {
      if (reason !== undefined && reason.length > LIMITS.reasonChars) {
        throw new TypeError(`a reason has at most ${LIMITS.reasonChars} characters`);
      }
      return change(name, expect, (record, nowMs) => {
        const { invitation: _ended, ...rest } = record;
        // Who disabled it first, and why, stays.
        const disabled = record.disabled ?? { atMs: nowMs, by, reason };
        return { record: { ...rest, disabled }, writes: [...endInvitation(record), endKeys(name)] };
      });
    },
    enable(name, { expect }) {
      return change(name, expect, ({ disabled: _disabled, ...record }) => ({ record }));
    },
    remove: (name, options) => remove(store, name, options),
    seen: (name) => lastSeen.seen(name),
    flush: () => lastSeen.flush(),
    close() {
      report.close();
      return lastSeen.close();
    },
  };
}

type Edit =
  | { readonly record: WorkloadRecord; readonly writes?: readonly Write[] }
  | WorkloadRefusal;

type EditRecord = (record: WorkloadRecord, nowMs: number) => Edit;

/**
 * What it had is over, and with that the reason to keep it out: lifting a disablement in a commit of
 * its own would let the stolen key in again in between.
 */
function withoutKey(record: WorkloadRecord): WorkloadRecord {
  const { key, previous, disabled: _lifted, withdrawn = [], ...rest } = record;
  const ended = [key, previous].flatMap((one) => (one === undefined ? [] : [one.thumbprint]));
  const all = [...new Set([...withdrawn, ...ended])];
  return all.length === 0 ? rest : { ...rest, withdrawn: all };
}

/** The token that is out can no longer be redeemed. */
function endInvitation({ invitation }: WorkloadRecord): Write[] {
  if (invitation === undefined) return [];
  return [{ collection: "join-tokens", id: invitation.token, body: undefined }];
}

/** What it signs assertions with verifies no more: who has the machine may have those keys. */
function endKeys(name: string): Write {
  return { collection: "assertion-keys", id: name, body: undefined };
}

function withWrites(edit: Edit, further: readonly Write[]): Edit {
  if ("refused" in edit) return edit;
  return { ...edit, writes: [...(edit.writes ?? []), ...further] };
}

async function remove(
  store: Store,
  name: string,
  { expect }: WorkloadChange,
): Promise<{ readonly removed: true } | WorkloadRefusal> {
  for (let attempt = 0; attempt < LIMITS.attempts; attempt++) {
    const document = isWorkloadName(name) ? await store.get("workloads", name) : undefined;
    if (document === undefined) return { refused: "absent" };
    if (expect !== undefined && expect !== document.number) return { refused: "changed" };
    const commit = await store.commit([
      { collection: "workloads", id: name, body: undefined, expect: document.number },
      { collection: "last-seen", id: name, body: undefined },
      endKeys(name),
      ...endInvitation(readWorkload(document)),
    ]);
    if (commit.conflict === undefined) return { removed: true };
  }
  return { refused: "changed" };
}

/** When those of a page were last there. Others between them (removed just now) may need further pages. */
async function seenOf(
  store: Store,
  page: readonly StoredDocument[],
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<ReadonlyMap<string, number | undefined>> {
  const times = new Map<string, number | undefined>();
  const last = page.at(-1)?.id ?? "";
  for (let from = after ?? ""; from < last;) {
    const seen = await store.list("last-seen", { after: from, limit });
    for (const document of seen) times.set(document.id, readSeen(document));
    from = seen.length < limit ? last : (seen.at(-1)?.id ?? last);
  }
  return times;
}

function rootPin(pem: string): string {
  const [der] = pemBlocks(pem, "CERTIFICATE");
  if (der === undefined) throw new SallyportError("certificate-invalid", "a root without PEM");
  return pinOf(parseCertificate(der).spki);
}
