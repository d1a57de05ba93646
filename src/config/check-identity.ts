/** The identity of a follower: a folder that only this process can enter, with what enrolling made. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { isFollower } from "../authority/authority-options.ts";
import {
  type LoadedIdentity,
  openIdentityFolder,
} from "../authority/enrolment/machine-identity-folder.ts";
import { SallyportError } from "../model/errors.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

const IDENTITY: Path = ["authority", "identity"];

/** One that is there and cannot be used, or not as what this configuration says. */
export async function checkIdentity({ authority }: Draft, folder: string): Promise<PathProblem[]> {
  if (!isFollower(authority)) return [];
  const path = resolve(folder, authority.identity);
  if (!existsSync(path)) return [];
  try {
    const found = await openIdentityFolder(path, { create: false, nowMs: () => Date.now() });
    const identity = await found.load();
    return identity === undefined
      ? []
      : [...unfit(identity), ...otherNames(identity, authority.serve?.names ?? [])];
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const message = error.message.replaceAll(path, authority.identity);
    return [{ path: IDENTITY, message, remedy: "a folder that sallyport enrol made" }];
  }
}

/** The feed is for proxies, which show a certificate; nothing else would be let in. */
function unfit({ name, kind, method }: LoadedIdentity): PathProblem[] {
  if (kind === "proxy" && method === "mtls") return [];
  const message =
    kind === "proxy"
      ? `"${name}" was enrolled with ${method}, and only a certificate can follow the feed`
      : `"${name}" was enrolled as a ${kind}, and only a proxy can follow the feed`;
  const remedy = "an identity of sallyport workloads enrol NAME --kind proxy --method mtls";
  return [{ path: IDENTITY, message, remedy }];
}

/** Its certificate is for the name that it is enrolled under, so followers would refuse any other. */
function otherNames({ name }: LoadedIdentity, names: readonly string[]): PathProblem[] {
  return names.flatMap((other, index) => {
    if (other === name) return [];
    const message = `a relay cannot be reached as "${other}": this machine is enrolled as "${name}"`;
    const path = ["authority", "serve", "names", index];
    return [{ path, message, remedy: `"${name}", or enrol it as "${other}"` }];
  });
}

/** A machine may be told what to do before it is told who it is. */
export function checkIdentityWarnings({ authority }: Draft, folder: string): PathProblem[] {
  if (!isFollower(authority)) return [];
  if (existsSync(resolve(folder, authority.identity, "current"))) return [];
  const message = `this machine is not enrolled: there is no identity in "${authority.identity}"`;
  const remedy = "sallyport enrol, with a token of sallyport workloads enrol at the authority";
  return [{ path: IDENTITY, message, remedy }];
}
