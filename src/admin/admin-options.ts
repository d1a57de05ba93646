/**
 * Options of the operators' door: liveness, readiness and metrics for whoever reaches its address; the
 * admin API over its Unix socket, and at the address where `authenticate` names who may ask. It serves
 * nothing else, and nothing of it is served on any other listener.
 */
import { z } from "zod";
import { listenerTlsSchema } from "../http/tls-options.ts";
import { addressSchema, attributesSchema, nameSchema } from "../model/options.ts";

const LIMITS = {
  /** Authenticators of the API; each one is a way in. */
  authenticate: 16,
  /** Audiences of the API. */
  audience: 16,
} as const;

export const adminSchema = z
  .strictObject({
    address: addressSchema
      .optional()
      .describe(
        "Where `/livez`, `/readyz` and `/metrics` answer to whoever reaches them, and the admin API under `/v1/` to those that `authenticate` lets in. Keep it on loopback or in the operators' network.",
      ),
    socket: z
      .string()
      .min(1, "a path, such as run/admin.sock")
      .optional()
      .describe(
        "Path of a Unix socket of mode 0600 where the admin API answers: whoever may open it may do everything. It is what the command line speaks to. Its folder is made with mode 0700 where it is absent; one that others can write to is refused.",
      ),
    authenticate: z
      .array(nameSchema, "a list of authenticators")
      .min(1, "at least one authenticator")
      .max(LIMITS.authenticate, `at most ${LIMITS.authenticate}`)
      .refine((names) => new Set(names).size === names.length, "each name once")
      .optional()
      .describe(
        "Authenticators whose bearer tokens may call the admin API at `address`; what each caller may do there is up to the policies. Without it: the API is at the socket only.",
      ),
    audience: z
      .array(z.string().min(1).max(2048))
      .min(1, "at least one audience")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .optional()
      .describe(
        "What a token must be meant for (`aud`) to call the admin API; one of them is enough. Without it: the authenticator's own `audience`.",
      ),
    tls: listenerTlsSchema
      .optional()
      .describe("Speaks TLS at `address`. Plain HTTP when left out."),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets the admin API be called in plain HTTP at an address that is not loopback: whoever is on the way can read the tokens and use them. false when left out; true is warned about by check and at each start.",
      ),
    attributes: attributesSchema
      .prefault({})
      .describe(
        'Attributes of `Sallyport::Admin::"api"`, the resource of admin actions in policies. Text, boolean, whole number or list of texts.',
      ),
  })
  .superRefine(({ address, socket, ...rest }, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    if (address === undefined && socket === undefined) issue("address", "address, socket, or both");
    if (address === undefined) {
      for (const key of ["authenticate", "tls"] as const) {
        if (rest[key] !== undefined) issue(key, "nothing here without address");
      }
    }
    if (rest.audience !== undefined && rest.authenticate === undefined) {
      issue("audience", "nothing here without authenticate");
    }
  })
  .readonly();

export type AdminOptions = z.output<typeof adminSchema>;

/** `address`: behind `admin.address`, plain or with TLS. `socket`: behind the Unix socket. */
export type AdminDoor = "address" | "socket";

/** The doors behind which the admin API is; behind the others it is not even loaded. */
export function apiDoors({
  socket,
  authenticate,
}: Pick<AdminOptions, "socket" | "authenticate">): ReadonlySet<AdminDoor> {
  const doors = new Set<AdminDoor>();
  if (authenticate !== undefined) doors.add("address");
  if (socket !== undefined) doors.add("socket");
  return doors;
}
