/**
 * `sallyport audit report access`: who could get to each service, who did, and who was refused. What
 * "could" means is said with it: it is of the policies of the configuration as it is now.
 */
import { existsSync } from "node:fs";
import { accessFigures } from "../audit/search/access-figures.ts";
import { readFilter } from "../audit/search/read-filter.ts";
import { withIndex } from "../audit/search/search-log.ts";
import { isFollowersFile } from "../config/read-source.ts";
import { ConfigError } from "../model/errors.ts";
import { suggest } from "../model/suggest.ts";
import { systemClock } from "../platform/clock.ts";
import { type AccessReport, REPORT_TEXTS } from "./access-report-text.ts";
import { buildDeps, folderOf, type LogOptions, type Said } from "./audit-search.ts";
import { whoCould } from "./who-could.ts";

export interface ReportOptions extends LogOptions {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly service?: string | undefined;
  readonly format: keyof typeof REPORT_TEXTS;
}

/** Always 0: to ask is not to check. Throws SallyportError and ConfigError. */
export async function auditReportAccess(options: ReportOptions, said: Said): Promise<number> {
  const nowMs = systemClock.now();
  const { from, to, service } = options;
  const { fromMs, toMs } = readFilter({ from, to }, nowMs);
  const folder = folderOf(options);
  const deps = { ...buildDeps(said), said: (what: string) => said.hint(what) };
  const unknown = whyUnknown(options);
  const could = unknown === undefined ? await whoCould(options.config, service) : undefined;
  const did = await withIndex(folder, deps, (file) =>
    file.read(() => accessFigures(file, { fromMs, toMs, service })),
  );
  const report: AccessReport = { nowMs, fromMs, toMs, service, could, unknown, ...did };
  if (service !== undefined && did.services.length === 0 && could?.callers.length === 0) {
    throw await unknownService(service, options);
  }
  said.write(REPORT_TEXTS[options.format](report));
  return 0;
}

/** A log can be looked at where its policies are not; then nobody knows who could. */
function whyUnknown({ audit, config }: LogOptions): string | undefined {
  if (audit !== undefined && !existsSync(config)) return "there is no configuration here";
  if (!isFollowersFile(config)) return undefined;
  return "policies come here over the feed; ask at the authority, with --audit and a copy of this log";
}

async function unknownService(service: string, options: LogOptions): Promise<ConfigError> {
  const isKnown = whyUnknown(options) === undefined;
  const all = isKnown ? (await whoCould(options.config, undefined)).callers : [];
  const close = suggest(service, new Set(all.map((one) => one.service)));
  const message = `--service: neither the policies nor the time know ${JSON.stringify(service)}`;
  const remedy = close === undefined ? "the name of a service" : `did you mean ${close}?`;
  return new ConfigError([{ message, remedy }]);
}
