/** `sallyport revocations …`: taking access away, giving it back, and what is taken away now. */
import type { Revocation, RevocationTarget } from "./admin-client.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { AdminCallError } from "./admin-transport.ts";
import { plain, table } from "./table.ts";

/** What is named, as options of the commands. */
export interface TargetOptions {
  readonly authenticator?: string | undefined;
  readonly subject?: string | undefined;
  readonly id?: string | undefined;
  readonly service?: string | undefined;
}

export interface RevokeOptions extends TargetOptions {
  readonly reason?: string | undefined;
  /** Of a block: when it ends by itself, RFC 3339. */
  readonly until?: string | undefined;
  /** Of a revocation: when all that it denies has expired by itself, RFC 3339. */
  readonly expires?: string | undefined;
  /** Whether the configuration has what is named or not. */
  readonly unchecked?: boolean | undefined;
}

export async function addRevocation(
  mode: "revoke" | "block",
  options: ConnectOptions & RevokeOptions,
): Promise<number> {
  const { reason, until, expires, unchecked = false } = options;
  const target = targetOf(options);
  const { value } = await connectAdmin(options).createRevocation({
    body: {
      target,
      mode,
      ...(reason === undefined ? {} : { reason }),
      ...(until === undefined ? {} : { until }),
      ...(expires === undefined ? {} : { expires }),
      ...(unchecked ? { unchecked } : {}),
    },
  });
  process.stdout.write(rowsOf([value]));
  return 0;
}

/** 0: it is lifted; 1: nothing is taken away under this id. */
export async function liftRevocation(
  id: string,
  options: ConnectOptions & { readonly mode?: "revoke" | "block" | undefined },
): Promise<number> {
  const { mode } = options;
  try {
    await connectAdmin(options).liftRevocation({ id, mode });
    console.log(`lifted  ${id}`);
    return 0;
  } catch (error) {
    if (!(error instanceof AdminCallError) || error.problem?.reason !== "not-found") throw error;
    console.error(
      `sallyport: no revocation has the id ${id}; it is the first column of \`sallyport revocations list\``,
    );
    return 1;
  }
}

export async function listRevocations(
  options: ConnectOptions & { readonly json: boolean },
): Promise<number> {
  const client = connectAdmin(options);
  let cursor: string | undefined;
  do {
    const { value } = await client.listRevocations({ cursor, limit: 500 });
    const lines = value.revocations.map((one) => `${JSON.stringify(one)}\n`).join("");
    process.stdout.write(options.json ? lines : rowsOf(value.revocations));
    cursor = value.next;
  } while (cursor !== undefined);
  return 0;
}

/** Throws AdminCallError for what names no one target. */
export function targetOf({ authenticator, subject, id, service }: TargetOptions): RevocationTarget {
  const wrong = new AdminCallError(
    "name one: --service NAME, or --authenticator NAME with --subject TEXT, --id JTI or neither",
  );
  if (service !== undefined) {
    if ((authenticator ?? subject ?? id) !== undefined) throw wrong;
    return { kind: "service", service };
  }
  if (authenticator === undefined || (subject !== undefined && id !== undefined)) throw wrong;
  if (subject !== undefined) return { kind: "subject", authenticator, subject };
  if (id !== undefined) return { kind: "id", authenticator, id };
  return { kind: "authenticator", authenticator };
}

function rowsOf(revocations: readonly Revocation[]): string {
  return table(
    revocations.map(({ id, target, revokedUntil, blocked, by, reason = "" }) =>
      [
        id,
        target.kind,
        nameOf(target),
        revokedUntil === undefined ? "" : `issued before ${revokedUntil}`,
        blocked === undefined ? "" : `blocked ${blocked.until ?? "until lifted"}`,
        by,
        reason,
      ].map(plain),
    ),
  );
}

function nameOf(target: RevocationTarget): string {
  if (target.kind === "service") return target.service;
  if (target.kind === "authenticator") return target.authenticator;
  return `${target.authenticator}/${target.kind === "id" ? target.id : target.subject}`;
}
