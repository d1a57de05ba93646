/** What proxies hold in common, and what they should. */
import { resolve } from "node:path";
import { certificateFileFault } from "./certificate-file.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";

/** A file of authorities that cannot be used. */
export function checkShared({ config, own }: Draft, folder: string): PathProblem[] {
  const ca = (config ?? own)?.shared?.ca;
  const fault = ca === undefined ? undefined : certificateFileFault(resolve(folder, ca));
  if (fault === undefined) return [];
  const message = `the file "${ca}" cannot be used: ${fault}`;
  return [{ path: ["shared", "ca"], message, remedy: "a file in PEM" }];
}

/** A proof that was used at one proxy can be used at another where neither nonces nor a memory bind it. */
export function checkSharedWarnings({ config }: Draft): PathProblem[] {
  if (config?.dpop.nonce !== "off" || config.shared !== undefined) return [];
  const { authority } = config;
  const siblings =
    authority !== undefined && ("feed" in authority || authority.serve !== undefined);
  if (!siblings) return [];
  const message = "a DPoP proof that was used at one proxy can be used once more at each other";
  const remedy = "dpop.nonce auto or required, or shared.redis, so that proxies know of each other";
  return [{ path: ["dpop", "nonce"], message, remedy }];
}
