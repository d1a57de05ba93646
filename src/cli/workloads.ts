/**
 * `sallyport workloads …`: the machines that the authority knows. A join token is printed once, to
 * standard output and by itself, so that it can be piped to where it is redeemed; what a person should
 * know about it goes to standard error.
 */
import { matchesName } from "../authority/authority-options.ts";
import { readJoinToken } from "../authority/enrolment/enrolment-token.ts";
import { ConfigError } from "../model/errors.ts";
import { duration } from "../model/options.ts";
import { workloadNameSchema } from "../model/workload-name.ts";
import type { EnrolmentMethod, WorkloadKind } from "../model/workloads.ts";
import type { AdminClient, Invitation, Workload } from "./admin-client.ts";
import { AdminCallError } from "./admin-transport.ts";
import { workloadFacts, workloadTable } from "./workloads-text.ts";

/** `--unused` finds what can go; nothing goes within a minute. */
const unusedSchema = duration({ min: "1m", max: "3650d" });

const LIMITS = {
  /** Of a page of the list. */
  page: 500,
} as const;

export interface WorkloadsContext {
  readonly client: AdminClient;
  readonly nowMs: () => number;
  /** To standard output, as it is. */
  readonly write: (text: string) => void;
  /** A line to standard error. */
  readonly hint: (line: string) => void;
  /** JSON instead of text. */
  readonly json: boolean;
}

/** Each resolves to the exit code: 1 where there is no such machine. Throws AdminCallError and ConfigError. */
export async function enrolWorkload(
  name: string,
  { kind, method }: { readonly kind: WorkloadKind; readonly method: EnrolmentMethod },
  context: WorkloadsContext,
): Promise<number> {
  checkName(name);
  const { value } = await context.client.enrolWorkload({ body: { name, kind, method } });
  const code = invited(value, context);
  if (kind === "proxy") await hintUngrouped(name, context);
  return code;
}

/** A proxy that no group names is enrolled, follows the feed and serves nothing: easily a misspelt name. */
async function hintUngrouped(name: string, { client, hint }: WorkloadsContext): Promise<void> {
  try {
    const { value } = await client.listBundles({ limit: 1 });
    const parts = value.bundles.find(({ inForce }) => inForce)?.parts;
    const part = parts?.find(({ proxies }) => matchesName(proxies, name));
    // Without `services` it gets all of them; nothing may be published yet.
    if (parts === undefined || (part !== undefined && part.services?.length !== 0)) return;
    hint(`No group of authority.proxies gives ${name} a service: it will serve nothing.`);
  } catch (error) {
    // The machine is invited; who may not read bundles is only not told.
    if (!(error instanceof AdminCallError)) throw error;
  }
}

export function reenrolWorkload(
  name: string,
  { now }: { readonly now: boolean },
  context: WorkloadsContext,
): Promise<number> {
  return about(name, context, async () => {
    const { value } = await context.client.reenrolWorkload({ name, body: { now } });
    return invited(value, context);
  });
}

export async function listWorkloads(
  { unused }: { readonly unused?: string | undefined },
  { client, nowMs, write, hint, json }: WorkloadsContext,
): Promise<number> {
  const unusedSince =
    unused === undefined ? undefined : new Date(nowMs() - unusedMs(unused)).toISOString();
  const workloads: Workload[] = [];
  let cursor: string | undefined;
  do {
    const { value } = await client.listWorkloads({ cursor, limit: LIMITS.page, unusedSince });
    workloads.push(...value.workloads);
    cursor = value.next;
  } while (cursor !== undefined);
  if (json) write(workloads.map((one) => `${JSON.stringify(one)}\n`).join(""));
  else if (workloads.length > 0) write(workloadTable(workloads, nowMs()));
  else hint(unused === undefined ? "No machine is known." : `All were seen within ${unused}.`);
  return 0;
}

export function showWorkload(name: string, context: WorkloadsContext): Promise<number> {
  return about(name, context, async () => {
    const { value } = await context.client.getWorkload({ name });
    return shown(value, context);
  });
}

export function disableWorkload(
  name: string,
  { reason }: { readonly reason?: string | undefined },
  context: WorkloadsContext,
): Promise<number> {
  return about(name, context, async () => {
    const body = reason === undefined ? {} : { reason };
    const { value } = await context.client.disableWorkload({ name, body });
    return shown(value, context);
  });
}

export function enableWorkload(name: string, context: WorkloadsContext): Promise<number> {
  return about(name, context, async () => {
    const { value } = await context.client.enableWorkload({ name });
    return shown(value, context);
  });
}

export function removeWorkload(name: string, context: WorkloadsContext): Promise<number> {
  return about(name, context, async () => {
    await context.client.removeWorkload({ name });
    context.hint(`${name} is forgotten; what it still has names nobody.`);
    return 0;
  });
}

async function about(
  name: string,
  { hint }: WorkloadsContext,
  work: () => Promise<number>,
): Promise<number> {
  checkName(name);
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AdminCallError) || error.problem?.reason !== "not-found") throw error;
    hint(`sallyport: no machine is called ${name}; \`sallyport workloads list\` names them`);
    return 1;
  }
}

function invited(invitation: Invitation, { write, hint, json }: WorkloadsContext): number {
  if (json) {
    write(`${JSON.stringify(invitation)}\n`);
    return 0;
  }
  const { workload, token, expires } = invitation;
  write(`${token}\n`);
  const { name, kind, method } = workload;
  hint(`This join token enrols ${name} (${kind}, ${method}) once, until ${expires}.`);
  hint("It is shown only now. On the machine, then paste it:");
  const { authority } = readJoinToken(token);
  // A proxy's configuration says where its authority is and where its identity goes.
  const where = authority === undefined ? " --authority https://HOST:PORT" : "";
  const place = kind === "proxy" ? " -c sallyport.yaml" : ` --identity data/identity${where}`;
  hint(`  sallyport enrol${place} --token -`);
  return 0;
}

function shown(workload: Workload, { write, json, nowMs }: WorkloadsContext): number {
  write(json ? `${JSON.stringify(workload)}\n` : workloadFacts(workload, nowMs()));
  return 0;
}

function checkName(name: string): void {
  const { error } = workloadNameSchema.safeParse(name);
  if (error !== undefined) throw wrong(name, "not a name of a machine", error.issues[0]?.message);
}

function unusedMs(text: string): number {
  const { data, error } = unusedSchema.safeParse(text);
  if (error !== undefined) throw wrong("--unused", "not a duration", error.issues[0]?.message);
  return data;
}

function wrong(file: string, message: string, remedy: string | undefined): ConfigError {
  return new ConfigError([{ file, message, ...(remedy !== undefined && { remedy }) }]);
}
