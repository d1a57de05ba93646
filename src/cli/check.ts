/** `sallyport check`: prints every problem and finding of a configuration and its policies. */
import { isKeeper } from "../authority/authority-options.ts";
import { checkConfig } from "../config/check.ts";
import type { LoadedConfig } from "../config/load.ts";
import { SIDECAR_POLICIES } from "../config/sidecar.ts";
import { systemClock } from "../platform/clock.ts";
import { replaceFile } from "../platform/replace-file.ts";
import type { Severity } from "../policy/findings/finding.ts";
import { checkPlaces } from "./check-places.ts";
import { checkStoreContents } from "./check-store.ts";
import { countsAgainst, FORMATS, type Format } from "./findings-report.ts";

export interface CheckOptions {
  readonly config: string;
  readonly format: Format;
  /** Where the report goes; to standard output when left out. */
  readonly output?: string;
  /** The least severity for which the answer is no. */
  readonly failOn: Severity;
}

/**
 * 0: there is no problem, and no finding that counts and nobody accepts; 1: there is one. Throws
 * ConfigError where there is no file.
 */
export async function check({ config, format, output, failOn }: CheckOptions): Promise<number> {
  const found = await checkConfig(config, { env: process.env, clock: systemClock });
  const { loaded, own, findings } = found;
  const authority = loaded?.config.authority;
  const store = isKeeper(authority) ? await checkStoreContents(config, authority) : undefined;
  const places = await checkPlaces(config, loaded?.config ?? own?.config);
  const problems = [...found.problems, ...(store?.problems ?? []), ...places.problems];
  const fails = findings.some((finding) => countsAgainst(finding, failOn));
  const report = FORMATS[format]({ config, problems, findings });
  const remarks: string[] = [];
  if (own !== undefined) {
    const { feed } = own.config.authority;
    remarks.push(`${config}: what it serves comes over the feed of ${feed.join(", ")}`);
    if (problems.length === 0) remarks.push(`${config}: its own part is fine`);
  }
  if (problems.length === 0 && !fails) {
    for (const leftOut of [store?.leftOut, places.leftOut]) {
      if (leftOut !== undefined) remarks.push(`${config}: not looked at: ${leftOut}`);
    }
    if (loaded !== undefined) remarks.push(`${config}: fine (${summary(loaded)})`);
  }
  if (output !== undefined) replaceFile(output, report);
  // What a program reads holds nothing else.
  if (output === undefined && report !== "") console.log(report.replace(/\n$/, ""));
  if (format === "text" || output !== undefined) {
    for (const remark of remarks) console.log(remark);
  }
  if (problems.length > 0 || fails) return 1;
  return loaded === undefined && own === undefined ? 1 : 0;
}

function summary({ config, vocabulary, policyFiles, bundle, published }: LoadedConfig): string {
  const reached = Object.keys(config.egress?.allow ?? {}).length;
  const beyond = reached === 0 ? [] : [`services of egress: ${reached}`];
  if (policyFiles === SIDECAR_POLICIES.files) return beyond.join("");
  // An authority alone serves nothing of what it has words for; of a proxy's, not all is its own.
  const served = bundle === undefined ? vocabulary : config;
  const counts = [
    `routes: ${served.routes.length}`,
    `services: ${Object.keys(served.services).length}`,
    `policy files: ${policyFiles.length}`,
    ...beyond,
  ].join(", ");
  if (bundle !== undefined) return `${counts}, from bundle ${bundle}`;
  const groups = published.map(
    ({ name, services, bundle: { hash } }) => `${name} ${services.length === 0 ? "nothing" : hash}`,
  );
  return groups.length === 0 ? counts : `${counts}; to proxies: ${groups.join(", ")}`;
}
