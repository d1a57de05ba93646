/** Commands about the audit log: what is in it, and whether it is whole. */
import type { IndexOptions, SearchOptions } from "../audit-search.ts";
import type { EraseOptions } from "../audit-erase.ts";
import type { AuditExportOptions } from "../audit-export.ts";
import type { ReportOptions } from "../audit-report.ts";
import type { TailOptions } from "../audit-tail.ts";
import type { ProveOptions, VerifyProofOptions } from "../audit-prove.ts";
import type { RehashOptions } from "../audit-rehash.ts";
import type { RotateOptions } from "../audit-rotate-key.ts";
import type { CheckpointCommandOptions } from "../audit-checkpoint.ts";
import type { VerifyCommandOptions } from "../audit-verify.ts";
import { type Exit, collect, configured, print, said, type Command, Option } from "./common.ts";

export function addAuditCommands(audit: Command, exit: Exit): void {
  const command = (name: string, description: string): Command =>
    configured(audit.command(name))
      .description(description)
      .option("--audit <folder>", "folder of the log (otherwise as the configuration says)");
  filtering(command("search", "find records by the index, the newest first; exits 1 for none"))
    .option("--limit <number>", "at most so many", "20")
    .option("--before <place>", "only older ones: a time, a decision id, or as a search said")
    .addOption(new Option("--format <format>", "how").choices(["text", "jsonl"]).default("text"))
    .action(async (options: SearchOptions) => {
      const { auditSearch } = await import("../audit-search.ts");
      exit(await auditSearch(options, said));
    });
  filtering(command("tail", "print the last records, and with --follow those that come"))
    .option("--limit <number>", "so many of the last", "20")
    .option("--follow", "stay, and print what is written until a signal", false)
    .addOption(new Option("--format <format>", "how").choices(["text", "jsonl"]).default("text"))
    .action(async (options: TailOptions) => {
      const { auditTail } = await import("../audit-tail.ts");
      exit(await auditTail(options, said));
    });
  filtering(command("export", "write all records of a time, as they are or as CSV"))
    .addOption(new Option("--format <format>", "how").choices(["jsonl", "csv"]).default("jsonl"))
    .option("--output <file>", "where to write it, and not to standard output")
    .action(async (options: AuditExportOptions) => {
      const { auditExport } = await import("../audit-export.ts");
      exit(await auditExport(options, said));
    });
  const reports = audit.command("report").description("what the log says of a time");
  configured(reports.command("access"))
    .description("per service: who could get to it, who did, and who was denied")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .option("--from <time>", "from then on: 2026-12-24, 2026-12-24T18:00:00Z, or 2h ago as 2h")
    .option("--to <time>", "before then")
    .option("--service <name>", "only this one")
    .addOption(
      new Option("--format <format>", "how")
        .choices(["text", "csv", "json", "markdown"])
        .default("text"),
    )
    .action(async (options: ReportOptions) => {
      const { auditReportAccess } = await import("../audit-report.ts");
      exit(await auditReportAccess(options, said));
    });
  command("erase", "throw away the key of a person's redacted values; exits 1 where there is none")
    .requiredOption("--principal <name>", "authenticator/subject, such as corp/alice")
    .action(async (options: EraseOptions) => {
      const { auditErase } = await import("../audit-erase.ts");
      exit(await auditErase(options, said));
    });
  command("index", "bring the index of the log up to date; a search does so by itself")
    .option("--follow", "stay, and keep it up to date until a signal", false)
    .action(async (options: IndexOptions) => {
      const { auditIndex } = await import("../audit-search.ts");
      exit(await auditIndex(options, said));
    });
}

/** What needs no secret and no running process: an auditor's. */
export function addProofCommands(audit: Command, exit: Exit): void {
  configured(audit.command("verify"))
    .description("whether every record is as it was sealed; exits 1 where one is not")
    .argument("[folder]", "folder of the log (otherwise as the configuration says)")
    .option("--key <vkey>", "key of the log, or a file with it (repeatable)", collect, [])
    .option("--checkpoint <file>", "a checkpoint that was kept elsewhere (repeatable)", collect, [])
    .option("--witness <vkey>", "key of a witness, or a file with it (repeatable)", collect, [])
    .option("--keep <duration>", "files that were removed must have been as old: 400d")
    .addOption(new Option("--format <format>", "how").choices(["text", "json"]).default("text"))
    .action(async (folder: string | undefined, given: VerifyCommandOptions, command: Command) => {
      const { auditVerify } = await import("../audit-verify.ts");
      const configNamed = command.getOptionValueSource("config") === "cli";
      exit(await auditVerify(folder, { ...given, configNamed }, said));
    });
  configured(audit.command("checkpoint"))
    .description("print a signed checkpoint, for somebody else to keep")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .option("--size <records>", "that of so many records (the last one)")
    .action(async (options: CheckpointCommandOptions) => {
      const { auditCheckpoint } = await import("../audit-checkpoint.ts");
      exit(auditCheckpoint(options, said));
    });
  configured(audit.command("prove"))
    .description("write a proof that a record is in the log, or that it begins with an earlier one")
    .argument("[id]", "sallyport-decision of the answer")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .option("--checkpoint <file>", "that the record is under this one, which was kept elsewhere")
    .option("--from <size>", "records of the earlier checkpoint")
    .option("--to <size>", "records of the later one (the last)")
    .option("--out <name>", "name of the files, without their endings")
    .action(async (id: string | undefined, options: ProveOptions) => {
      const { auditProve } = await import("../audit-prove.ts");
      exit(await auditProve(id, options, print));
    });
  audit
    .command("verify-proof")
    .description("whether a proof holds; needs nothing of the log")
    .argument("<file>", "what `audit prove` wrote")
    .option("--key <vkey>", "key of the log, or a file with it (repeatable)", collect, [])
    .option("--record <file>", "the record that it is about")
    .option("--checkpoint <file>", "of a .consistency: the earlier checkpoint")
    .action(async (file: string, options: VerifyProofOptions) => {
      const { auditVerifyProof } = await import("../audit-prove.ts");
      exit(auditVerifyProof(file, options, print));
    });
  configured(audit.command("rehash"))
    .description("make the hashes of the tree anew of the records, while no proxy seals them")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .option("--key <vkey>", "key of the log, or a file with it (repeatable)", collect, [])
    .action(async (options: RehashOptions) => {
      const { auditRehash } = await import("../audit-rehash.ts");
      exit(await auditRehash(options, said));
    });
  configured(audit.command("rotate-key"))
    .description("sign checkpoints with another key, from the next one on")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .action(async (options: RotateOptions) => {
      const { auditRotateKey } = await import("../audit-rotate-key.ts");
      exit(auditRotateKey(options, print));
    });
}

/** Which records: of an option that is said several times, one has to hold. */
function filtering(command: Command): Command {
  const several = (flags: string, description: string): Command =>
    command.option(flags, `${description} (repeatable)`, collect, []);
  several("--principal <name>", "authenticator/subject, such as corp/alice");
  several("--route <name>", "name of a route");
  several("--service <name>", "name of a service");
  several("--reason <reason>", "why, from the list in docs/errors.md");
  several("--event <event>", "events of this kind");
  several("--id <id>", "decision id, with what became of the request");
  several("--address <address>", "of the caller or the proxy in front; or a network");
  return command
    .option("--decision <decision>", "permit or deny")
    .option("--from <time>", "from then on: 2026-12-24, 2026-12-24T18:00:00Z, or 2h ago as 2h")
    .option("--to <time>", "before then");
}
