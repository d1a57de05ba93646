/**
 * Claims of a service-account token → principal: `system:serviceaccount:<namespace>:<name>`, with what the
 * token is bound to.
 *
 * Refuses a token whose parts disagree (`sub` and the claim `kubernetes.io` have to name the same service
 * account), and names that no object in a cluster can have.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import type { Principal } from "../../model/principal.ts";
import type { ClaimFault } from "../claims/claims.ts";
import type { KubernetesAttribute } from "../kubernetes-options.ts";

/** RFC 1123 labels; names of pods and nodes are several of them, divided by dots. */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
/** Opaque to us; in practice a UUID. */
const UID = /^[A-Za-z0-9._:-]{1,128}$/;

const SOURCE = "kubernetes.io";

export function readServiceAccount(
  claims: JsonObject,
  authenticator: string,
): Principal | ClaimFault {
  const source = claims[SOURCE];
  if (source === undefined) return { fault: "missing-claim", detail: `claim ${SOURCE} is absent` };
  if (!isJsonObject(source)) return invalid(SOURCE, "not an object");
  const { namespace } = source;
  if (!isText(namespace, NAMESPACE)) return invalid(`${SOURCE}.namespace`, "not a namespace");
  const account = readObject(source, "serviceaccount");
  const pod = readObject(source, "pod");
  const node = readObject(source, "node");
  for (const part of [account, pod, node]) if ("fault" in part) return part;
  const { name, uid } = account as Bound;
  if (name === "") {
    return { fault: "missing-claim", detail: `claim ${SOURCE}.serviceaccount is absent` };
  }
  const subject = `system:serviceaccount:${namespace}:${name}`;
  if (claims["sub"] !== subject) {
    return invalid("sub", `not the service account that ${SOURCE} names`);
  }
  const attributes: Record<KubernetesAttribute, string> = {
    namespace,
    serviceAccount: name,
    serviceAccountUid: uid,
    pod: (pod as Bound).name,
    podUid: (pod as Bound).uid,
    node: (node as Bound).name,
    nodeUid: (node as Bound).uid,
  };
  return servicePrincipal(authenticator, { subject, namespace, attributes });
}

function servicePrincipal(
  authenticator: string,
  {
    subject,
    namespace,
    attributes,
  }: Pick<Principal, "subject" | "attributes"> & { readonly namespace: string },
): Principal {
  // As the API server groups them (k8s.io/apiserver, serviceaccount.MakeGroupNames).
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  return Object.freeze({
    kind: "workload",
    authenticator,
    subject,
    roles: Object.freeze([]),
    groups: Object.freeze(
      [...groups, "system:authenticated"].map((group) => `${authenticator}/${group}`),
    ),
    attributes: Object.freeze(attributes),
  });
}

/** What a token is bound to; empty texts where it is not. */
interface Bound {
  readonly name: string;
  readonly uid: string;
}

const UNBOUND: Bound = Object.freeze({ name: "", uid: "" });

function readObject(source: JsonObject, what: string): Bound | ClaimFault {
  const value = source[what];
  if (value === undefined) return UNBOUND;
  if (!isJsonObject(value)) return invalid(`${SOURCE}.${what}`, "not an object");
  const { name, uid } = value;
  if (!isText(name, NAME)) return invalid(`${SOURCE}.${what}.name`, "not a name");
  // Nodes may have none: the object may be gone when the token is made.
  if (uid === undefined && what === "node") return { name, uid: "" };
  if (!isText(uid, UID)) return invalid(`${SOURCE}.${what}.uid`, "not a uid");
  return { name, uid };
}

function isText(value: JsonValue | undefined, pattern: RegExp): value is string {
  return typeof value === "string" && pattern.test(value);
}

function invalid(claim: string, rule: string): ClaimFault {
  return { fault: "invalid-claim", detail: `claim ${claim}: ${rule}` };
}
