/**
 * `/v1/clients`: clients of the token endpoint, those that are registered here and those that the
 * configuration declares, which can be changed there only. A secret is in the answer of `createClient`
 * or `addClientKey` and nowhere else, and is shown once.
 */
import { z } from "zod";
import { createClientPrincipals } from "../identity/claims/client-principal.ts";
import { type ClientGrant, clientGrantSchema, publicClientKey } from "../keys/client-document.ts";
import type {
  Client,
  ClientRefusal,
  MadeClient,
  NewProof,
  ShownProof,
} from "../keys/client-register.ts";
import { CLIENT_LIMITS, CLIENT_PROOFS, clientIdSchema } from "../model/clients.ts";
import { NEVER } from "../model/revocation.ts";
import type { AdminDeps, AuthenticatorView, DeclaredClientView } from "./admin-deps.ts";
import { type Answer, type Operation, operation, timeSchema, timeText } from "./operation.ts";
import { cursorOf, nextSchema, pageOf, pageQuery } from "./paging.ts";
import { found, present } from "./present.ts";
import { AdminProblem } from "./problem.ts";
import { reasonSchema } from "./text.ts";
import { unknownRoles } from "./unknown-roles.ts";

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

const proofSchema = z
  .strictObject({
    id: z
      .string()
      .describe(
        "What names it in calls: of a key its RFC 7638 thumbprint, of a certificate its `x5t#S256`.",
      ),
    type: z.enum(CLIENT_PROOFS),
    jwk: z
      .record(z.string(), z.union([z.string(), z.array(z.string())]))
      .optional()
      .describe("Of a key: its public half."),
    added: timeSchema,
    addedBy: z.string(),
  })
  .meta({ id: "ClientKey", description: "A way in which a client proves who it is." });

const shownSchema = clientGrantSchema
  .extend({
    id: z.string(),
    roles: z.array(z.string()),
    groups: z.array(z.string()),
    attributes: z.record(
      z.string(),
      z.union([z.string(), z.boolean(), z.number(), z.array(z.string())]),
    ),
    source: z
      .enum(["declared", "registered"])
      .describe(
        "`declared`: it stands in the configuration of the authority, and is changed there.",
      ),
    state: z
      .enum(["active", "disabled", "keyless"])
      .describe("`keyless`: nothing is registered by which it could prove who it is."),
    keys: z
      .array(proofSchema)
      .describe("How it proves who it is; empty for one that is declared, where it stands there."),
    created: timeSchema.optional().describe("Absent for one that is declared."),
    createdBy: z.string().optional(),
    used: timeSchema
      .optional()
      .describe("When it last got a key, to within some minutes; absent: not that we know."),
    disabled: z
      .strictObject({ at: timeSchema, by: z.string(), reason: z.string().optional() })
      .optional(),
  })
  .meta({ id: "Client", description: "A client of the token endpoint." });

const madeSchema = z
  .strictObject({
    client: shownSchema,
    added: proofSchema.optional(),
    secret: z
      .string()
      .optional()
      .describe("The client secret, shown once. Whoever has it is the client."),
    warnings: z.array(z.string()).describe("What is taken and hardly meant."),
  })
  .meta({ id: "MadeClient", description: "A client, with what was added to it." });

const newKeySchema = z
  .union([
    z.strictObject({
      jwk: z
        .record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())]))
        .describe("Public key (RFC 7517), for `private_key_jwt`. A private one is refused."),
    }),
    z.strictObject({
      certificate: z
        .string()
        .regex(THUMBPRINT, "the SHA-256 thumbprint in base64url: 43 characters")
        .describe("Thumbprint of the certificate that it shows (`x5t#S256` of RFC 8705)."),
    }),
    z.strictObject({
      insecureSecret: z
        .literal(true)
        .describe("Makes a client secret: for clients that can do nothing better."),
    }),
  ])
  .meta({ id: "NewClientKey", description: "A further way in which a client proves who it is." });

const params = z.strictObject({ id: clientIdSchema.describe("`client_id`.") });
const tag = "clients";
const oneClient = {
  status: 200,
  description: "The client.",
  schema: shownSchema,
  tagged: true,
} as const;
const made = {
  status: 201,
  description: "The client; with its secret, where one was made.",
  schema: madeSchema,
  tagged: true,
} as const;

export const clientOperations: readonly Operation[] = [
  operation(
    {
      operation: "listClients",
      method: "get",
      path: "/v1/clients",
      tag,
      summary: "Clients of the token endpoint, declared and registered",
      query: z.strictObject({
        ...pageQuery,
        unusedSince: z.iso
          .datetime({ offset: true })
          .optional()
          .describe(
            "Only registered ones that are older and got no key since then; pages may then be short, or empty with a `next`.",
          ),
      }),
      answers: {
        status: 200,
        description: "One page of them, by id.",
        schema: z.strictObject({ clients: z.array(shownSchema), next: nextSchema }),
      },
      problems: [404],
    },
    async ({ query: { unusedSince, ...query } }, deps) => {
      const page = pageOf(query);
      const registered = await registerOf(deps).list(page);
      const shownOnes = merged(registered, await declaredIn(deps), page);
      const last = shownOnes.length < page.limit ? undefined : shownOnes.at(-1);
      const sinceMs = unusedSince === undefined ? undefined : Date.parse(unusedSince);
      const wanted = shownOnes.filter(
        (one) =>
          sinceMs === undefined ||
          ("proofs" in one && Math.max(one.usedMs ?? 0, one.createdMs) < sinceMs),
      );
      return {
        body: {
          clients: wanted.map(shown),
          ...(last === undefined ? {} : { next: cursorOf(last.id) }),
        },
      };
    },
  ),
  operation(
    {
      operation: "createClient",
      method: "post",
      path: "/v1/clients",
      tag,
      summary: "Registers a client of the token endpoint",
      body: clientGrantSchema.extend({ key: newKeySchema.optional() }),
      idempotent: true,
      secret: true,
      answers: made,
      problems: [404, 409, 422],
    },
    async ({ body: { key, ...grant }, by }, deps) => {
      const register = registerOf(deps);
      const warnings = await refuseUnfit(grant, deps);
      const proof = key && proofOf(key, "/key");
      return madeAnswer(await register.create(grant, { proof, by }), warnings);
    },
  ),
  operation(
    {
      operation: "getClient",
      method: "get",
      path: "/v1/clients/{id}",
      tag,
      summary: "One client",
      params,
      answers: oneClient,
      problems: [404],
    },
    async ({ params: { id } }, deps) => {
      const registered = await registerOf(deps).get(id);
      const declared = (await declaredIn(deps)).find((one) => one.id === id);
      if (declared !== undefined) return { body: shown(declared), number: 0 };
      return answer(found(registered));
    },
  ),
  operation(
    {
      operation: "removeClient",
      method: "delete",
      path: "/v1/clients/{id}",
      tag,
      summary: "Forgets a client; what it got until now is dead",
      params,
      conditional: true,
      answers: { status: 204, description: "It is gone." },
      problems: [404, 409],
    },
    async ({ params: { id }, by, ifMatch }, deps) => {
      const register = registerOf(deps);
      await refuseDeclared(id, deps);
      const refused = await register.remove(id, { by, expect: ifMatch });
      if (refused !== undefined) throw refusal(refused);
      await endKeys(id, { by, mode: "revoke" }, deps);
      return {};
    },
  ),
  operation(
    {
      operation: "addClientKey",
      method: "post",
      path: "/v1/clients/{id}/keys",
      tag,
      summary: "A further key, certificate or secret; those that it has stay good",
      description: `Change a key over in three steps: add the new one, let the client use it, remove the former one. Up to ${CLIENT_LIMITS.proofs} of them at a time.`,
      params,
      body: newKeySchema,
      conditional: true,
      idempotent: true,
      secret: true,
      answers: made,
      problems: [404, 409, 422],
    },
    async ({ params: { id }, body, by, ifMatch }, deps) => {
      const register = registerOf(deps);
      await refuseDeclared(id, deps);
      const added = await register.addProof(id, proofOf(body, ""), { by, expect: ifMatch });
      return madeAnswer(added, []);
    },
  ),
  operation(
    {
      operation: "removeClientKey",
      method: "delete",
      path: "/v1/clients/{id}/keys/{key}",
      tag,
      summary: "From now on it does not prove that somebody is the client",
      description: "What the client got with it is good until it expires: see `createRevocation`.",
      params: params.extend({
        key: z.string().min(1).max(64).describe("Id of the key, the certificate or the secret."),
      }),
      conditional: true,
      answers: oneClient,
      problems: [404, 409],
    },
    async ({ params: { id, key }, by, ifMatch }, deps) => {
      const register = registerOf(deps);
      await refuseDeclared(id, deps);
      return answer(found(await register.removeProof(id, key, { by, expect: ifMatch })));
    },
  ),
  operation(
    {
      operation: "disableClient",
      method: "post",
      path: "/v1/clients/{id}/disable",
      tag,
      summary: "It gets no key, and those that it has are good for nothing",
      description:
        "Blocks and revokes its subject as `createRevocation` does, on every proxy that reaches the feed within a second. `enableClient` lifts that block, and no block that was there before; what was issued until now is dead for good.",
      params,
      body: z.strictObject({ reason: reasonSchema.optional() }).default({}),
      bodyOptional: true,
      conditional: true,
      idempotent: true,
      answers: oneClient,
      problems: [404, 409],
    },
    async ({ params: { id }, body: { reason }, by, ifMatch }, deps) => {
      const register = registerOf(deps);
      await refuseDeclared(id, deps);
      const disabled = answer(await register.disable(id, { by, reason, expect: ifMatch }));
      await endKeys(id, { by, mode: "block" }, deps);
      return disabled;
    },
  ),
  operation(
    {
      operation: "enableClient",
      method: "post",
      path: "/v1/clients/{id}/enable",
      tag,
      summary: "It may get keys again",
      description:
        "What it had got when it was disabled stays dead: the cut-off is not lifted. Keys that it gets within the clock skew after that cut-off are dead as well.",
      params,
      conditional: true,
      idempotent: true,
      answers: oneClient,
      problems: [404, 409],
    },
    async ({ params: { id }, by, ifMatch }, deps) => {
      const register = registerOf(deps);
      await refuseDeclared(id, deps);
      const enabled = answer(await register.enable(id, { by, expect: ifMatch }));
      await letKeysIn(id, by, deps);
      return enabled;
    },
  ),
];

function registerOf({ clients }: AdminDeps): NonNullable<AdminDeps["clients"]> {
  return present(clients, "clients");
}

async function declaredIn({ config }: AdminDeps): Promise<readonly DeclaredClientView[]> {
  return (await config.running()).clients ?? [];
}

/** Both, by id; one that is declared stands for a registered one of the same id, as when it asks for a key. */
function merged(
  registered: readonly Client[],
  declared: readonly DeclaredClientView[],
  { after = "", limit }: { readonly after?: string | undefined; readonly limit: number },
): readonly (Client | DeclaredClientView)[] {
  const byId = new Map<string, Client | DeclaredClientView>();
  for (const one of [...registered, ...declared]) if (one.id > after) byId.set(one.id, one);
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
}

/** The authenticator under whose name clients stand. Rejects with AdminProblem `conflict`. */
async function keysView(
  deps: AdminDeps,
): Promise<AuthenticatorView & { readonly clients: NonNullable<AuthenticatorView["clients"]> }> {
  const { authenticators } = await deps.config.running();
  for (const one of authenticators) {
    if (one.clients !== undefined) return { ...one, clients: one.clients };
  }
  throw new AdminProblem(
    "conflict",
    "no authenticator knows the keys that a client would get: configure one of type sallyport",
  );
}

async function refuseDeclared(id: string, deps: AdminDeps): Promise<void> {
  if (!(await declaredIn(deps)).some((one) => one.id === id)) return;
  throw new AdminProblem("conflict", "the configuration declares it (authority.clients)");
}

/** Refuses a client that could get no key; resolves to what is worth saying of one that can. */
async function refuseUnfit(grant: ClientGrant, deps: AdminDeps): Promise<readonly string[]> {
  const { name: authenticator, clients } = await keysView(deps);
  await refuseDeclared(grant.id, deps);
  const principal = createClientPrincipals(authenticator, clients)(grant);
  if ("detail" in principal) {
    throw new AdminProblem("invalid-input", undefined, [
      { at: "/attributes", message: principal.detail },
    ]);
  }
  const { roles } = grant;
  const { allow } = clients.roles;
  return unknownRoles({ authenticator, allow, roles }, await deps.config.running());
}

function proofOf(key: z.output<typeof newKeySchema>, at: string): NewProof {
  if ("certificate" in key) return { type: "certificate", id: key.certificate };
  if ("insecureSecret" in key) return { type: "secret" };
  const read = publicClientKey(key.jwk);
  if ("jwk" in read) return { type: "key", ...read };
  throw new AdminProblem("invalid-input", undefined, [
    { at: `${at}/jwk`, message: `it cannot be used: ${read.fault}` },
  ]);
}

/** What it has is dead at once, and not when it expires. */
async function endKeys(
  subject: string,
  { by, mode }: { readonly by: string; readonly mode: "revoke" | "block" },
  deps: AdminDeps,
): Promise<void> {
  const authenticator = await keysName(deps);
  if (authenticator === undefined) return;
  const target = { kind: "subject", authenticator, subject } as const;
  const register = present(deps.revocations, "revocations");
  if (mode === "revoke") {
    await register.revoke(target, { mode, reason: "the client was removed", by });
    return;
  }
  // A block that an operator has set keeps its reason, and outlasts this one.
  if ((await register.get(target))?.block?.untilMs !== NEVER) {
    await register.revoke(target, { mode, reason: DISABLED, by });
  }
  // The block is lifted one day, and what was got with a key that leaked must not be good again then.
  await register.revoke(target, { mode: "revoke", by });
}

/** By which `enableClient` knows the block that is its own to lift. */
const DISABLED = "the client is disabled";
/** Of what is left when that is lifted. */
const ENABLED = "the client was disabled";

async function letKeysIn(subject: string, by: string, deps: AdminDeps): Promise<void> {
  const authenticator = await keysName(deps);
  if (authenticator === undefined) return;
  const target = { kind: "subject", authenticator, subject } as const;
  const register = present(deps.revocations, "revocations");
  if ((await register.get(target))?.reason !== DISABLED) return;
  await register.lift(target, { mode: "block", reason: ENABLED, by });
}

async function keysName({ config }: AdminDeps): Promise<string | undefined> {
  const { authenticators } = await config.running();
  return authenticators.find((one) => one.clients !== undefined)?.name;
}

function refusal({ refused }: ClientRefusal): AdminProblem {
  if (refused === "absent") return new AdminProblem("not-found");
  if (refused === "changed") return new AdminProblem("changed");
  return new AdminProblem("conflict", CONFLICTS[refused]);
}

const CONFLICTS = {
  exists: "a client of this id is registered already",
  known: "it has that already",
  full: `it has ${CLIENT_LIMITS.proofs} of them; remove one that it uses no more`,
} as const;

function answer(outcome: Client | ClientRefusal): Answer {
  if ("refused" in outcome) throw refusal(outcome);
  return { body: shown(outcome), number: outcome.number };
}

function madeAnswer(outcome: MadeClient | ClientRefusal, warnings: readonly string[]): Answer {
  if ("refused" in outcome) throw refusal(outcome);
  const { client, proof, secret } = outcome;
  return {
    body: {
      client: shown(client),
      ...(proof === undefined ? {} : { added: shownProof(proof) }),
      ...(secret === undefined ? {} : { secret }),
      warnings,
    },
    number: client.number,
    location: `/v1/clients/${client.id}`,
  };
}

function shown(client: Client | DeclaredClientView): z.input<typeof shownSchema> {
  if (!("proofs" in client)) {
    const { id, roles, groups, attributes } = client;
    const plain = { id, roles: [...roles], groups: [...groups] };
    const values = Object.entries(attributes).map(([name, value]) => [
      name,
      typeof value === "object" ? [...value] : value,
    ]);
    return {
      ...plain,
      attributes: Object.fromEntries(values) as z.input<typeof shownSchema>["attributes"],
      source: "declared",
      state: "active",
      keys: [],
    };
  }
  const { proofs, createdMs, usedMs, disabled, number: _, ...plain } = client;
  return {
    ...plain,
    source: "registered",
    state: disabled !== undefined ? "disabled" : proofs.length === 0 ? "keyless" : "active",
    keys: proofs.map(shownProof),
    created: timeText(createdMs),
    ...(usedMs === undefined ? {} : { used: timeText(usedMs) }),
    ...(disabled === undefined ? {} : { disabled: disabledOf(disabled) }),
  };
}

function shownProof({ addedMs, ...proof }: ShownProof): z.input<typeof proofSchema> {
  return { ...proof, added: timeText(addedMs) };
}

function disabledOf({
  atMs,
  by,
  reason,
}: NonNullable<Client["disabled"]>): z.input<typeof shownSchema>["disabled"] {
  return { at: timeText(atMs), by, ...(reason === undefined ? {} : { reason }) };
}
