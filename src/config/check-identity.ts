/** The identity of a follower: a folder that only this process can enter, with what enrolling made. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { isFollower } from "../authority/authority-options.ts";
import { openIdentityFolder } from "../authority/enrolment/machine-identity-folder.ts";
import { SallyportError } from "../model/errors.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "./issues.ts";
import type { Path } from "./place.ts";

const IDENTITY: Path = ["authority", "identity"];

/** One that is there and cannot be used. */
export async function checkIdentity({ authority }: Draft, folder: string): Promise<PathProblem[]> {
  if (!isFollower(authority)) return [];
  const path = resolve(folder, authority.identity);
  if (!existsSync(path)) return [];
  try {
    await (await openIdentityFolder(path, { create: false, nowMs: () => Date.now() })).load();
    return [];
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const message = error.message.replaceAll(path, authority.identity);
    return [{ path: IDENTITY, message, remedy: "a folder that sallyport enrol made" }];
  }
}

/** A machine may be told what to do before it is told who it is. */
export function checkIdentityWarnings({ authority }: Draft, folder: string): PathProblem[] {
  if (!isFollower(authority)) return [];
  if (existsSync(resolve(folder, authority.identity, "current"))) return [];
  const message = `this machine is not enrolled: there is no identity in "${authority.identity}"`;
  const remedy = "sallyport enrol, with a token of sallyport workloads enrol at the authority";
  return [{ path: IDENTITY, message, remedy }];
}
