/**
 * `sallyport workloads …`: the machines that the authority knows. A join token is printed once, to
 * standard output and by itself, so that it can be piped to where it is redeemed; what a person should
 * know about it goes to standard error.
 */
import { readJoinToken } from "../authority/enrolment-token.ts";
import { ConfigError } from "../model/errors.ts";
import { duration } from "../model/options.ts";
import {
  ENROLMENT_METHODS,
  type EnrolmentMethod,
  type Invitation,
  WORKLOAD_KINDS,
  type Workload,
  type WorkloadKind,
  workloadNameSchema,
} from "../model/workloads.ts";
import type { WorkloadsDesk } from "./workloads-desk.ts";
import { timeText, workloadFacts, workloadTable } from "./workloads-text.ts";

/** Nobody enrols machines by the million by hand; and `--unused` finds what can go. */
const unusedSchema = duration({ min: "1m", max: "3650d" });

export interface WorkloadsContext {
  readonly desk: WorkloadsDesk;
  readonly nowMs: () => number;
  /** A line to standard output. */
  readonly print: (line: string) => void;
  /** A line to standard error. */
  readonly hint: (line: string) => void;
  /** JSON instead of text. */
  readonly json: boolean;
}

/** Each resolves to the exit code. */
export async function enrolWorkload(
  name: string,
  { kind = "workload", method = "mtls" }: { readonly kind?: string; readonly method?: string },
  context: WorkloadsContext,
): Promise<number> {
  checkName(name);
  const options = { kind: kindOf(kind), method: methodOf(method) };
  if (options.kind === "proxy" && options.method !== "mtls") {
    throw wrong("--method", "a proxy follows the feed over mTLS", "--method mtls");
  }
  return invited(await context.desk.enrol(name, options), context);
}

export async function reenrolWorkload(
  name: string,
  { now = false }: { readonly now?: boolean },
  context: WorkloadsContext,
): Promise<number> {
  checkName(name);
  return invited(await context.desk.reenrol(name, { now }), context);
}

export async function listWorkloads(
  { unused }: { readonly unused?: string | undefined },
  { desk, nowMs, print, hint, json }: WorkloadsContext,
): Promise<number> {
  const unusedSinceMs = unused === undefined ? undefined : nowMs() - unusedMs(unused);
  const workloads: Workload[] = [];
  for await (const workload of desk.list({ unusedSinceMs })) workloads.push(workload);
  if (json) print(JSON.stringify(workloads));
  else if (workloads.length > 0) for (const line of workloadTable(workloads, nowMs())) print(line);
  else hint(unused === undefined ? "No machine is enrolled." : `All were seen within ${unused}.`);
  return 0;
}

export async function showWorkload(name: string, context: WorkloadsContext): Promise<number> {
  checkName(name);
  shown(await context.desk.get(name), context);
  return 0;
}

export async function disableWorkload(
  name: string,
  { reason }: { readonly reason?: string | undefined },
  context: WorkloadsContext,
): Promise<number> {
  checkName(name);
  shown(await context.desk.disable(name, { reason }), context);
  return 0;
}

export async function enableWorkload(name: string, context: WorkloadsContext): Promise<number> {
  checkName(name);
  shown(await context.desk.enable(name), context);
  return 0;
}

export async function removeWorkload(name: string, context: WorkloadsContext): Promise<number> {
  checkName(name);
  await context.desk.remove(name);
  context.hint(`${name} is forgotten; what it still has names nobody.`);
  return 0;
}

function invited(
  { workload, token, expiresMs }: Invitation,
  { print, hint, json }: WorkloadsContext,
): number {
  if (json) {
    print(JSON.stringify({ workload, token, expiresMs }));
    return 0;
  }
  print(token);
  const { name, kind, method } = workload;
  const { authority } = readJoinToken(token);
  hint(`This join token enrols ${name} (${kind}, ${method}) once, until ${timeText(expiresMs)}.`);
  hint("It is shown only now. On the machine, then paste it:");
  const where = authority === undefined ? " --authority https://HOST:PORT" : "";
  const folder = kind === "proxy" ? " -c sallyport.yaml" : " --identity data/identity";
  hint(`  sallyport enrol${folder}${where} --token -`);
  return 0;
}

function shown(workload: Workload, { print, json, nowMs }: WorkloadsContext): void {
  if (json) print(JSON.stringify(workload));
  else for (const line of workloadFacts(workload, nowMs())) print(line);
}

function checkName(name: string): void {
  const { error } = workloadNameSchema.safeParse(name);
  if (error !== undefined) throw wrong(name, "not a name of a machine", error.issues[0]?.message);
}

function kindOf(text: string): WorkloadKind {
  const kind = WORKLOAD_KINDS.find((one) => one === text);
  if (kind === undefined)
    throw wrong("--kind", `no such kind: ${text}`, WORKLOAD_KINDS.join(" or "));
  return kind;
}

function methodOf(text: string): EnrolmentMethod {
  const method = ENROLMENT_METHODS.find((one) => one === text);
  if (method !== undefined) return method;
  throw wrong("--method", `no such method: ${text}`, ENROLMENT_METHODS.join(" or "));
}

function unusedMs(text: string): number {
  const { data, error } = unusedSchema.safeParse(text);
  if (error !== undefined) throw wrong("--unused", "not a duration", error.issues[0]?.message);
  return data;
}

function wrong(file: string, message: string, remedy: string | undefined): ConfigError {
  return new ConfigError([{ file, message, ...(remedy !== undefined && { remedy }) }]);
}
