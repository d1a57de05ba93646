/** `sallyport explain`: why one decision was made, looked at again by the policies of that time. */
import { systemClock } from "../platform/clock.ts";
import {
  explainDecision,
  type ExplainedDecision,
  explanationJson,
} from "../review/explain-decision.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { auditFolderOf } from "./audit-folder.ts";
import { decisionText } from "./explanation-text.ts";

export interface ExplainOptions extends ConnectOptions {
  readonly format: "text" | "json";
  /** Folder of the audit log; else the one that the configuration names. */
  readonly audit?: string | undefined;
}

/** 0: explained; 1: no record has the id. Throws SallyportError and ConfigError. */
export async function explain(id: string, options: ExplainOptions): Promise<number> {
  const json = options.format === "json";
  if (options.admin !== undefined) {
    const { value } = await connectAdmin(options).explainDecision({ id });
    // What the API answers is the same value, as JSON.
    const explained = value as unknown as ExplainedDecision;
    process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : decisionText(explained));
    return 0;
  }
  const folder = options.audit ?? auditFolderOf(options.config);
  const explained = await explainDecision({ folder, id }, { clock: systemClock });
  if (explained === undefined) {
    console.error(`${folder}: no decision ${id} is recorded there`);
    return 1;
  }
  process.stdout.write(json ? `${explanationJson(explained)}\n` : decisionText(explained));
  return 0;
}
