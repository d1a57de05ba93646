/**
 * The command line: which commands there are and what their options are called. Each command is a
 * file of its own that knows nothing of this one, and is loaded when it is asked for where it brings half
 * of Sallyport with it: a search must not wait for the proxy to load. Exit codes: 0 fine, 1 the answer is
 * no, 2 it could not run. The one file that knows `commander`.
 */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ConfigError, formatProblem, SallyportError } from "../model/errors.ts";
import { KEY_USES, type KeyUse } from "../model/signing.ts";
import { productVersion } from "../platform/version.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { ENROLMENT_METHODS, WORKLOAD_KINDS } from "../model/workloads.ts";
import type * as apiKeysCommands from "./api-keys.ts";
import type { ApiKeysContext, CreateOptions } from "./api-keys.ts";
import type * as clientsCommands from "./clients.ts";
import type { ClientsContext, CreateClientOptions } from "./clients.ts";
import type { ProofOptions } from "./client-proof.ts";
import type { IssuedKeyOptions } from "./issued-keys.ts";
import type { IndexOptions, SearchOptions } from "./audit-search.ts";
import type { EraseOptions } from "./audit-erase.ts";
import type { AuditExportOptions } from "./audit-export.ts";
import type { ReportOptions } from "./audit-report.ts";
import type { TailOptions } from "./audit-tail.ts";
import type { ProveOptions, VerifyProofOptions } from "./audit-prove.ts";
import type { RehashOptions } from "./audit-rehash.ts";
import type { RotateOptions } from "./audit-rotate-key.ts";
import type { CheckpointCommandOptions } from "./audit-checkpoint.ts";
import type { VerifyCommandOptions } from "./audit-verify.ts";
import type { CheckOptions } from "./check.ts";
import { withDashedOperands } from "./dashed-operands.ts";
import { drain } from "./drain.ts";
import type { EnrolOptions } from "./enrol.ts";
import type { RenewOptions } from "./enrol-renew.ts";
import { FORMATS, SEVERITIES, TEST_FORMATS } from "./choices.ts";
import type { ExplainOptions } from "./explain.ts";
import type { QuestionOptions } from "./explain-question.ts";
import type { InitOptions } from "./init.ts";
import type { AnswerOptions, WhatOptions } from "./policy-answers.ts";
import type { BuildOptions } from "./policy-build.ts";
import type { DiffOptions } from "./policy-diff.ts";
import type { FmtOptions } from "./policy-fmt.ts";
import type { SuggestOptions } from "./policy-suggest.ts";
import { reload } from "./reload.ts";
import type { ReplayOptions } from "./replay.ts";
import type { RevokeOptions } from "./revocations.ts";
import { firstSignal } from "./first-signal.ts";
import { showStatus } from "./status.ts";
import type { TestOptions } from "./test-policies.ts";
import type { UsageReportOptions } from "./usage.ts";
import type { RebuildOptions } from "./usage-rebuild.ts";
import type * as workloadsCommands from "./workloads.ts";
import type { WorkloadsContext } from "./workloads.ts";

/** Runs what `args` (without runtime and script) say; resolves to the exit code. Never rejects. */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = createProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync(withDashedOperands(args, program), { from: "user" });
    return code;
  } catch (error) {
    return report(error);
  }
}

function createProgram(exit: (code: number) => void): Command {
  const program = new Command("sallyport")
    .description("Identity-aware access proxy: authenticate, authorize, record, then forward.")
    .version(productVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .exitOverride();

  configured(program.command("run"))
    .description("run the proxy until SIGTERM")
    .action(async (options: { readonly config: string }) => {
      const { run } = await import("./run.ts");
      exit(await run(options.config));
    });

  program
    .command("worker", { hidden: true })
    .requiredOption("--socket <path>", "the supervisor's socket")
    .requiredOption("--number <n>", "which of its workers", Number)
    .action(async (options: { readonly socket: string; readonly number: number }) => {
      const { worker } = await import("./worker.ts");
      exit(await worker(options.socket, options.number));
    });

  configured(program.command("check"))
    .description("say everything that is wrong with a configuration and its policies")
    .addOption(
      new Option("--format <format>", "for people, for programs, or SARIF for code hosts")
        .choices(FORMATS)
        .default("text"),
    )
    .option("--output <file>", "where to write it, and not to standard output")
    .addOption(
      new Option("--fail-on <severity>", "exit with 1 for findings of this severity or a worse one")
        .choices(SEVERITIES)
        .default("warning"),
    )
    .action(async (options: CheckOptions) => {
      const { check } = await import("./check.ts");
      exit(await check(options));
    });

  addTestCommand(program, exit);

  program
    .command("init")
    .description("write a configuration, starter policies and a README for them")
    .option("--dir <folder>", "where to write", ".")
    .option("--service <name=url>", "a service to protect (repeatable)", collect, [])
    .option("--issuer <url>", "OpenID provider of the callers' tokens", "https://login.example.com")
    .option("--jwks <place>", "where its keys are: https://… or file:… (otherwise by discovery)")
    .option("--audience <text>", "what tokens must be meant for", "https://api.example.com")
    .option("--from-openapi <file>", "routes and policies from OpenAPI 3 (repeatable)", collect, [])
    .option("--authority", "keep state too: signing keys, revocations, enrolled machines", false)
    .action(async (options: InitOptions) => {
      const { init } = await import("./init.ts");
      exit(await init(options));
    });

  program
    .command("demo")
    .description("a real OpenID provider, three services and the proxy on this machine")
    .option("--check", "try everything and exit", false)
    .action(async (options: { readonly check: boolean }) => {
      const { demo } = await import("./demo.ts");
      exit(await demo(options));
    });

  configured(program.command("enrol"))
    .description("make this machine known to an authority: its key is made here, and stays here")
    .option("--authority <url>", "https://host:port of an authority (repeatable)", collect, [])
    .option("--token <token>", "the join token; - reads it from standard input", "-")
    .option("--token-file <file>", "file that holds the join token")
    .option("--identity <folder>", "where the identity goes (otherwise as the configuration says)")
    .option("--replace", "take the place of another machine's identity in that folder", false)
    .action(async (options: EnrolOptions) => {
      const { enrol } = await import("./enrol.ts");
      exit(await enrol(options, { stdin: process.stdin, print, hint }));
    });

  program
    .command("renew")
    .description("give the identity of an enrolled machine a new key; a proxy does so by itself")
    .requiredOption("--identity <folder>", "where the identity is")
    .option("--authority <url>", "a further address of an authority (repeatable)", collect, [])
    .option("--follow", "stay, and renew whenever half of its life is over", false)
    .action(async (options: RenewOptions) => {
      const { renew } = await import("./enrol-renew.ts");
      exit(await renew(options, { print, stopped: firstSignal }));
    });

  addExplainCommand(program.command("explain"), exit);
  addPolicyCommands(program.command("policy").description("about policies"), exit);

  addReplayCommand(program, exit);
  const audit = program.command("audit").description("about the audit log");
  addAuditCommands(audit, exit);
  addProofCommands(audit, exit);
  addUsageCommands(program.command("usage").description("what callers have used"), exit);
  addStoreCommands(program.command("store").description("about the authority's store"), exit);
  addProcessCommands(program, exit);
  addRevocationCommands(program.command("revocations").description("access taken away"), exit);
  addWorkloadCommands(program.command("workloads").description("enrolled machines"), exit);
  addApiKeyCommands(
    program.command("api-keys").description("keys that callers are known by"),
    exit,
  );
  addClientCommands(
    program.command("clients").description("clients of the token endpoint, and their keys"),
    exit,
  );
  const keys = program
    .command("keys")
    .description(
      "revoke, block: keys issued to services; all else: keys that the authority signs with; api-keys: those of callers",
    );
  addKeyCommands(keys, exit);
  addIssuedKeyCommands(keys, exit);
  return program;
}

function addPolicyCommands(policy: Command, exit: (code: number) => void): void {
  addSuggestCommand(policy, exit);
  configured(policy.command("schema"))
    .description("print the Cedar schema that the configuration gives policies")
    .action(async (options: { readonly config: string }) => {
      const { policySchema } = await import("./policy-schema.ts");
      exit(await policySchema(options.config));
    });
  configured(policy.command("fmt"))
    .description("give policy files the form of Cedar's formatter; their meaning stays")
    .argument("[files...]", "files, or folders of *.cedar; those of the configuration if none")
    .option("--check", "write nothing; exit with 1 where a file has another form", false)
    .action(async (files: string[], options: FmtOptions) => {
      const { policyFmt } = await import("./policy-fmt.ts");
      exit(await policyFmt(files, options));
    });
  const about = (command: Command): Command =>
    configured(command)
      .option("--context <name=value>", "known of the request (repeatable)", collect, [])
      .addOption(
        new Option("--format <format>", "for people or programs")
          .choices(["text", "json"])
          .default("text"),
      );
  about(policy.command("who-can"))
    .description("who may do something, of those who are known: yes, no, or on what it depends")
    .argument(
      "<action>",
      "GET, billing:getInvoice, admin:listWorkloads, …, or a group: read, write",
    )
    .argument("<resource>", 'a route, Service::"name", or Admin')
    .action(async (action: string, resource: string, options: AnswerOptions) => {
      const { whoCan } = await import("./policy-answers.ts");
      exit(await whoCan(action, resource, options));
    });
  about(policy.command("what-can"))
    .description("what a caller may do, on each route: yes, no, or on what it depends")
    .argument("<principal>", 'User::"corp/alice", User::"corp/*" for anybody, or anonymous')
    .option("--role <role>", "a role that it has, as policies see it (repeatable)", collect, [])
    .option("--group <group>", "a group that it is in (repeatable)", collect, [])
    .action(async (principal: string, options: WhatOptions) => {
      const { whatCan } = await import("./policy-answers.ts");
      exit(await whatCan(principal, options));
    });
  configured(policy.command("build"))
    .description("check the policies and write them, with their data and tests, as one file")
    .option("--sign-key <file>", "private key in PEM that signs it (repeatable)", collect, [])
    .option("--out <file>", "where to write (otherwise HASH.json)")
    .action(async (options: BuildOptions) => {
      const { policyBuild } = await import("./policy-build.ts");
      exit(await policyBuild(options));
    });
  configured(policy.command("fetch"))
    .description("fetch the policy bundle that the configuration names by URL")
    .action(async (options: { readonly config: string }) => {
      const { policyFetch } = await import("./policy-fetch.ts");
      exit(await policyFetch(options.config));
    });
  policy
    .command("diff")
    .description("say in words what has changed; exits 1 where something has")
    .argument("<from>", "a configuration (.yaml) or a policy bundle")
    .argument("<to>", "a configuration (.yaml) or a policy bundle")
    .addOption(
      new Option("--format <format>", "for people or programs")
        .choices(["text", "json"])
        .default("text"),
    )
    .action(async (from: string, to: string, options: DiffOptions) => {
      const { policyDiff } = await import("./policy-diff.ts");
      exit(await policyDiff(from, to, options));
    });
}

function addTestCommand(program: Command, exit: Exit): void {
  configured(program.command("test"))
    .description("run the tests of the policies (policies.tests)")
    .argument("[filter]", "only cases whose name or file has this in it")
    .addOption(new Option("--format <format>", "how to tell").choices(TEST_FORMATS).default("spec"))
    .option("--output <file>", "write it there, and only a summary here")
    .option("--coverage", "list policies that decided no case, and routes without one", false)
    .addOption(
      new Option(
        "--min-coverage <percent>",
        "fail where fewer of the policies decided a case",
      ).argParser(percentOf),
    )
    .action(async (filter: string | undefined, options: Omit<TestOptions, "filter">) => {
      const write = (text: string): void => void process.stdout.write(text);
      const { testPolicies } = await import("./test-policies.ts");
      exit(await testPolicies({ ...options, filter }, { write }));
    });
}

function percentOf(text: string): number {
  if (!/^(?:100|[1-9]?[0-9])$/.test(text))
    throw new InvalidArgumentError("a number from 0 to 100.");
  return Number(text);
}

function addExplainCommand(command: Command, exit: Exit): void {
  asking(command)
    .description("why a decision was made, or what a request would get: clause by clause")
    .argument("<id or method>", "sallyport-decision of the answer; with --as the method")
    .argument("[url]", "with --as: https://host/path, or a path")
    .option("--audit <folder>", "folder of the audit log (otherwise as the configuration says)")
    .addOption(new Option("--format <format>").choices(["text", "json"]).default("text"))
    .option("--as <principal>", 'ask of a request that was never made: User::"corp/ada", Anonymous')
    .option("--role <role>", "with --as: of the caller (repeatable)", collect, [])
    .option("--group <group>", "with --as: of the caller (repeatable)", collect, [])
    .option("--attribute <name=value>", "with --as: of the caller (repeatable)", collect, [])
    .option("--scope <scope>", "with --as: of the token (repeatable)", collect, [])
    .option("--header <name: value>", "with --as: of the request (repeatable)", collect, [])
    .option("--amr <method>", "with --as: how the caller logged in (repeatable)", collect, [])
    .option("--acr <class>", "with --as: of the login")
    .option("--age <seconds>", "with --as: since the login")
    .option("--bound", "with --as: the credential is bound to a key, and its proof was checked")
    .option("--body <json>", "with --as: what policies see of the body, as a JSON object")
    .option("--rpc <json>", 'with --as: what the message asks for, such as {"tool":"search"}')
    .option("--device <principal>", "with --as: the caller's device, or a JSON object with its id")
    .option("--workload <principal>", "with --as: whose certificate the connection has, likewise")
    .option("--ip <address>", "with --as: of the caller")
    .option("--time <time>", "with --as: RFC 3339 (now when left out)");
  command.action(
    async (
      first: string,
      url: string | undefined,
      options: ExplainOptions & Omit<QuestionOptions, "as"> & { readonly as?: string },
    ) => {
      const { as } = options;
      if (as === undefined && url === undefined) {
        const { explain } = await import("./explain.ts");
        exit(await explain(first, options));
      } else if (as === undefined || url === undefined) {
        command.error("error: either the id of a decision, or --as PRINCIPAL METHOD URL");
      } else {
        const { explainQuestion } = await import("./explain-question.ts");
        exit(await explainQuestion([first, url], { ...options, as }));
      }
    },
  );
}

function addReplayCommand(program: Command, exit: Exit): void {
  recorded(configured(program.command("replay")))
    .description("what other policies would have decided; exits 1 where an answer flips")
    .option("--policies <path...>", "policies in place of those of the configuration", [])
    .addOption(new Option("--format <format>", "how").choices(["text", "json"]).default("text"))
    .action(async (options: ReplayOptions) => {
      const { replay } = await import("./replay.ts");
      exit(await replay(options, print));
    });
}

function addSuggestCommand(policy: Command, exit: Exit): void {
  recorded(configured(policy.command("suggest")))
    .description("permits that cover recorded traffic, those that nothing used, and test cases")
    .option("--unused-for <days>", "how long a permit has to be unused to be listed", "30d")
    .option("--out <folder>", "where to write (otherwise the permits go to standard output)")
    .action(async (options: SuggestOptions) => {
      const { policySuggest } = await import("./policy-suggest.ts");
      exit(await policySuggest(options, print));
    });
}

/** Of commands that read an audit log. */
function recorded(command: Command): Command {
  return command
    .requiredOption("--from <path>", "the folder of an audit log, or one of its files")
    .option("--since <time>", "only decisions from then on, 2026-12-24T18:00:00Z")
    .option("--until <time>", "only decisions until then")
    .option("--route <name>", "only those on this route (repeatable)", collect, []);
}

function addAuditCommands(audit: Command, exit: Exit): void {
  const said = { write: (text: string) => void process.stdout.write(text), hint };
  const command = (name: string, description: string): Command =>
    configured(audit.command(name))
      .description(description)
      .option("--audit <folder>", "folder of the log (otherwise as the configuration says)");
  filtering(command("search", "find records by the index, the newest first; exits 1 for none"))
    .option("--limit <number>", "at most so many", "20")
    .option("--before <place>", "only older ones: a time, a decision id, or as a search said")
    .addOption(new Option("--format <format>", "how").choices(["text", "jsonl"]).default("text"))
    .action(async (options: SearchOptions) => {
      const { auditSearch } = await import("./audit-search.ts");
      exit(await auditSearch(options, said));
    });
  filtering(command("tail", "print the last records, and with --follow those that come"))
    .option("--limit <number>", "so many of the last", "20")
    .option("--follow", "stay, and print what is written until a signal", false)
    .addOption(new Option("--format <format>", "how").choices(["text", "jsonl"]).default("text"))
    .action(async (options: TailOptions) => {
      const { auditTail } = await import("./audit-tail.ts");
      exit(await auditTail(options, said));
    });
  filtering(command("export", "write all records of a time, as they are or as CSV"))
    .addOption(new Option("--format <format>", "how").choices(["jsonl", "csv"]).default("jsonl"))
    .option("--output <file>", "where to write it, and not to standard output")
    .action(async (options: AuditExportOptions) => {
      const { auditExport } = await import("./audit-export.ts");
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
      const { auditReportAccess } = await import("./audit-report.ts");
      exit(await auditReportAccess(options, said));
    });
  command("erase", "throw away the key of a person's redacted values; exits 1 where there is none")
    .requiredOption("--principal <name>", "authenticator/subject, such as corp/alice")
    .action(async (options: EraseOptions) => {
      const { auditErase } = await import("./audit-erase.ts");
      exit(await auditErase(options, said));
    });
  command("index", "bring the index of the log up to date; a search does so by itself")
    .option("--follow", "stay, and keep it up to date until a signal", false)
    .action(async (options: IndexOptions) => {
      const { auditIndex } = await import("./audit-search.ts");
      exit(await auditIndex(options, said));
    });
}

function addUsageCommands(usage: Command, exit: Exit): void {
  const said = { write: (text: string) => void process.stdout.write(text), hint };
  const sums = (name: string, about: string, usual: { by: string; format: string }): void => {
    const by = "month, day, hour, principal, plan, service, route, operation; commas between";
    configured(usage.command(name))
      .description(`${about}; exits 1 for nothing`)
      .option("--from <time>", "from that month, day or hour on: 2026-11, 2026-11-27 (this month)")
      .option("--to <time>", "before that one (now)")
      .option("--by <names>", by, usual.by)
      .option("--principal <name>", "only of authenticator/subject, such as corp/alice")
      .option("--plan <name>", "only on this plan")
      .option("--service <name>", "only of this service")
      .option("--route <name>", "only on this route")
      .option("--operation <name>", "only of this operation or method")
      .addOption(
        new Option("--format <format>", "how")
          .choices(["text", "csv", "json"])
          .default(usual.format),
      )
      .action(async (options: UsageReportOptions) => {
        const { usageReport } = await import("./usage.ts");
        exit(await usageReport(options, said));
      });
  };
  sums("report", "print sums of what was used", { by: "principal", format: "text" });
  sums("export", "print what was used in each hour", {
    by: "hour,principal,plan,service,route,operation",
    format: "csv",
  });
  configured(usage.command("rebuild"))
    .description("make the book of usage anew of the audit log, while no proxy writes it")
    .option("--lose-older", "also where the log does not go back as far as the book", false)
    .action(async (options: RebuildOptions) => {
      const { usageRebuild } = await import("./usage-rebuild.ts");
      exit(await usageRebuild(options, said));
    });
}

/** What needs no secret and no running process: an auditor's. */
function addProofCommands(audit: Command, exit: Exit): void {
  const said = { write: (text: string) => void process.stdout.write(text), hint };
  configured(audit.command("verify"))
    .description("whether every record is as it was sealed; exits 1 where one is not")
    .argument("[folder]", "folder of the log (otherwise as the configuration says)")
    .option("--key <vkey>", "key of the log, or a file with it (repeatable)", collect, [])
    .option("--checkpoint <file>", "a checkpoint that was kept elsewhere (repeatable)", collect, [])
    .option("--witness <vkey>", "key of a witness, or a file with it (repeatable)", collect, [])
    .option("--keep <duration>", "files that were removed must have been as old: 400d")
    .addOption(new Option("--format <format>", "how").choices(["text", "json"]).default("text"))
    .action(async (folder: string | undefined, given: VerifyCommandOptions, command: Command) => {
      const { auditVerify } = await import("./audit-verify.ts");
      const configNamed = command.getOptionValueSource("config") === "cli";
      exit(await auditVerify(folder, { ...given, configNamed }, said));
    });
  configured(audit.command("checkpoint"))
    .description("print a signed checkpoint, for somebody else to keep")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .option("--size <records>", "that of so many records (the last one)")
    .action(async (options: CheckpointCommandOptions) => {
      const { auditCheckpoint } = await import("./audit-checkpoint.ts");
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
      const { auditProve } = await import("./audit-prove.ts");
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
      const { auditVerifyProof } = await import("./audit-prove.ts");
      exit(auditVerifyProof(file, options, print));
    });
  configured(audit.command("rehash"))
    .description("make the hashes of the tree anew of the records, while no proxy seals them")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .option("--key <vkey>", "key of the log, or a file with it (repeatable)", collect, [])
    .action(async (options: RehashOptions) => {
      const { auditRehash } = await import("./audit-rehash.ts");
      exit(await auditRehash(options, said));
    });
  configured(audit.command("rotate-key"))
    .description("sign checkpoints with another key, from the next one on")
    .option("--audit <folder>", "folder of the log (otherwise as the configuration says)")
    .action(async (options: RotateOptions) => {
      const { auditRotateKey } = await import("./audit-rotate-key.ts");
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

function addStoreCommands(store: Command, exit: (code: number) => void): void {
  configured(store.command("status"))
    .description("print what the store is and how much it holds")
    .action(async (options: { readonly config: string }) => {
      const { storeStatus } = await import("./store-status.ts");
      exit(await storeStatus(options.config));
    });

  configured(store.command("backup <file>"))
    .description("copy a SQLite store into a new file, while it is in use")
    .action(async (file: string, options: { readonly config: string }) => {
      const { storeBackup } = await import("./store-backup.ts");
      exit(await storeBackup(options.config, file));
    });

  configured(store.command("restore <file>"))
    .description("put a backup in the place of a SQLite store, under a new epoch")
    .option("--replace", "set aside the store that is there", false)
    .action(async (file: string, options: { config: string; replace: boolean }) => {
      const { storeRestore } = await import("./store-restore.ts");
      exit(await storeRestore(options.config, file, options));
    });

  configured(store.command("new-epoch"))
    .description("say that the store was restored by other means: followers read all of it anew")
    .action(async (options: { readonly config: string }) => {
      const { storeNewEpoch } = await import("./store-new-epoch.ts");
      exit(await storeNewEpoch(options.config));
    });

  configured(store.command("rewrap"))
    .description("seal all secrets anew, under the current key-encryption key")
    .action(async (options: { readonly config: string }) => {
      const { storeRewrap } = await import("./store-rewrap.ts");
      exit(await storeRewrap(options.config));
    });
}

type Exit = (code: number) => void;
type Asking = ConnectOptions & { readonly json: boolean };

/** Commands that ask the running process, over its admin API. */
function addProcessCommands(program: Command, exit: Exit): void {
  asking(program.command("status"))
    .description("the running process at a glance; exits 1 where it is not ready")
    .option("--json", "for programs", false)
    .action(async (options: Asking) => {
      exit(await showStatus(options));
    });

  asking(program.command("reload"))
    .description("read the configuration again; exits 1 where it does not validate")
    .action(async (options: Asking) => {
      exit(await reload(options));
    });

  asking(program.command("drain"))
    .description("end the running process in order")
    .action(async (options: Asking) => {
      exit(await drain(options));
    });
}

function addRevocationCommands(revocations: Command, exit: Exit): void {
  for (const [mode, description] of [
    ["revoke", "what was issued until now is dead, what is issued later is good"],
    ["block", "nothing is good until it is lifted"],
  ] as const) {
    const command = asking(revocations.command(mode))
      .description(description)
      .option("--service <name>", "everything that is presented to a service")
      .option("--authenticator <name>", "everything that an authenticator vouches for, or …")
      .option("--subject <text>", "… of it only this subject")
      .option("--id <jti>", "… of it only this credential")
      .option("--reason <text>", "for operators");
    if (mode === "block") command.option("--until <time>", "when it ends, 2026-12-24T18:00:00Z");
    else command.option("--expires <time>", "when it can be forgotten, such as the token's exp");
    command.option("--unchecked", "even where the configuration has nothing of that name", false);
    command.action(async (options: ConnectOptions & RevokeOptions) => {
      const { addRevocation } = await import("./revocations.ts");
      exit(await addRevocation(mode, options));
    });
  }
  asking(revocations.command("lift"))
    .description("give access back")
    .argument("<id>", "as list prints it")
    .addOption(new Option("--mode <mode>", "only this of the two").choices(["revoke", "block"]))
    .action(
      async (id: string, options: ConnectOptions & { readonly mode?: "revoke" | "block" }) => {
        const { liftRevocation } = await import("./revocations.ts");
        exit(await liftRevocation(id, options));
      },
    );
  asking(revocations.command("list"))
    .description("what is taken away now")
    .option("--json", "one object a line", false)
    .action(async (options: Asking) => {
      const { listRevocations } = await import("./revocations.ts");
      exit(await listRevocations(options));
    });
}

function addWorkloadCommands(workloads: Command, exit: Exit): void {
  const command = (name: string, description: string): Command =>
    asking(workloads.command(name))
      .description(description)
      .option("--json", "for programs", false);
  const context = (options: Asking): WorkloadsContext => ({
    client: connectAdmin(options),
    nowMs: Date.now,
    write: (text) => void process.stdout.write(text),
    hint,
    json: options.json,
  });
  const name = new Argument("<name>", "what the machine is called");

  command("enrol", "invite a machine: prints a join token, once")
    .addArgument(name)
    .addOption(kindOption())
    .addOption(methodOption())
    .action(
      async (
        given: string,
        options: Asking & Parameters<typeof workloadsCommands.enrolWorkload>[1],
      ) => {
        const { enrolWorkload } = await import("./workloads.ts");
        exit(await enrolWorkload(given, options, context(options)));
      },
    );
  command("list", "the machines that are known")
    .option("--unused <duration>", "only those that were not seen for so long, such as 30d")
    .action(async (options: Asking & { readonly unused?: string }) => {
      const { listWorkloads } = await import("./workloads.ts");
      exit(await listWorkloads(options, context(options)));
    });
  command("show", "all that is known of one")
    .addArgument(name)
    .action(async (given: string, options: Asking) => {
      const { showWorkload } = await import("./workloads.ts");
      exit(await showWorkload(given, context(options)));
    });
  command("disable", "from now on nothing of it is accepted")
    .addArgument(name)
    .option("--reason <text>", "for operators")
    .action(async (given: string, options: Asking & { readonly reason?: string }) => {
      const { disableWorkload } = await import("./workloads.ts");
      exit(await disableWorkload(given, options, context(options)));
    });
  command("enable", "undo that")
    .addArgument(name)
    .action(async (given: string, options: Asking) => {
      const { enableWorkload } = await import("./workloads.ts");
      exit(await enableWorkload(given, context(options)));
    });
  command("re-enrol", "a new join token: what the machine has ends when it is redeemed")
    .addArgument(name)
    .option("--now", "what it has ends at once", false)
    .action(async (given: string, options: Asking & { readonly now: boolean }) => {
      const { reenrolWorkload } = await import("./workloads.ts");
      exit(await reenrolWorkload(given, options, context(options)));
    });
  command("remove", "forget it: what it still has names nobody")
    .addArgument(name)
    .action(async (given: string, options: Asking) => {
      const { removeWorkload } = await import("./workloads.ts");
      exit(await removeWorkload(given, context(options)));
    });
}

function addApiKeyCommands(apiKeys: Command, exit: Exit): void {
  const command = (name: string, description: string): Command =>
    asking(apiKeys.command(name)).description(description).option("--json", "for programs", false);
  const context = (options: Asking): ApiKeysContext => ({
    client: connectAdmin(options),
    nowMs: Date.now,
    write: (text) => void process.stdout.write(text),
    hint,
    json: options.json,
  });
  const id = new Argument("<id>", "as list prints it; no part of the key");
  // Said once for each: a list would also take the owner that stands behind it.
  const several = (made: Command, flags: string, description: string): Command =>
    made.option(flags, `${description}; may be said several times`, collect, []);

  const create = command("create", "make a key: printed once")
    .argument("<owner>", "whose it is: the subject in policies")
    .requiredOption("--authenticator <name>", "the authenticator of type api-key that it is for")
    .option("--label <text>", "what tells it from other keys of its owner")
    .option("--lifetime <duration>", "such as 30d; 90 days when left out");
  several(create, "--scope <scope>", "what it may");
  several(create, "--role <role>", "roles of its owner");
  several(create, "--group <group>", "groups of its owner");
  several(create, "--attribute <name=value>", "such as tenant=acme");
  several(create, "--service <name>", "only these services; all that take it when left out");
  create.action(async (owner: string, options: Asking & CreateOptions) => {
    const { createApiKey } = await import("./api-keys.ts");
    exit(await createApiKey(owner, options, context(options)));
  });
  command("list", "the keys that there are, without their texts")
    .option("--authenticator <name>", "only those for this one")
    .option("--owner <owner>", "only those of this one")
    .option(
      "--unused-for <duration>",
      "only those that are good and let nobody in for so long, such as 90d",
    )
    .action(async (options: Asking & Parameters<typeof apiKeysCommands.listApiKeys>[0]) => {
      const { listApiKeys } = await import("./api-keys.ts");
      exit(await listApiKeys(options, context(options)));
    });
  command("show", "all that is known of one, without its text")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { showApiKey } = await import("./api-keys.ts");
      exit(await showApiKey(given, context(options)));
    });
  command("rotate", "a new key that may the same: printed once")
    .addArgument(id)
    .option("--overlap <duration>", "how long the one before is good for; a day when left out")
    .option("--lifetime <duration>", "of the new one; as long as the one before was made for")
    .action(
      async (
        given: string,
        options: Asking & Parameters<typeof apiKeysCommands.rotateApiKey>[1],
      ) => {
        const { rotateApiKey } = await import("./api-keys.ts");
        exit(await rotateApiKey(given, options, context(options)));
      },
    );
  command("revoke", "end a key for good, everywhere, at once")
    .addArgument(id)
    .option("--reason <text>", "for operators")
    .action(async (given: string, options: Asking & { readonly reason?: string }) => {
      const { revokeApiKey } = await import("./api-keys.ts");
      exit(await revokeApiKey(given, options, context(options)));
    });
  command("remove", "forget a key: whoever has it is told that it is not known")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { removeApiKey } = await import("./api-keys.ts");
      exit(await removeApiKey(given, context(options)));
    });
}

function kindOption(): Option {
  return new Option("--kind <kind>", "proxy: it may follow the feed")
    .choices(WORKLOAD_KINDS)
    .default("workload");
}

function methodOption(): Option {
  return new Option("--method <method>", "a certificate, or a registered key that signs assertions")
    .choices(ENROLMENT_METHODS)
    .default("mtls");
}

function addClientCommands(clients: Command, exit: Exit): void {
  const command = (name: string, description: string): Command =>
    asking(clients.command(name)).description(description).option("--json", "for programs", false);
  const context = (options: Asking): ClientsContext => ({
    client: connectAdmin(options),
    nowMs: Date.now,
    write: (text) => void process.stdout.write(text),
    hint,
    json: options.json,
  });
  const id = new Argument("<id>", "client_id");
  const proving = (made: Command): Command =>
    made
      .option("--generate-key <file>", "make a key pair here; the private key goes into this file")
      .option("--key <file>", "its public key: PEM, a JWK, or a JWK Set of one key")
      .option("--certificate <file>", "its certificate in PEM, or the thumbprint in base64url")
      .option("--insecure-secret", "have a client secret made: printed once", false);
  const several = (made: Command, flags: string, description: string): Command =>
    made.option(flags, `${description}; may be said several times`, collect, []);

  const create = proving(command("create", "register a client"))
    .addArgument(id)
    .option("--label <text>", "for operators");
  several(create, "--role <role>", "roles in policies");
  several(create, "--group <group>", "groups in policies");
  several(create, "--attribute <name=value>", "such as tenant=acme");
  create.action(async (given: string, options: Asking & CreateClientOptions) => {
    const { createClient } = await import("./clients.ts");
    exit(await createClient(given, options, context(options)));
  });
  command("list", "the clients that there are, declared and registered")
    .option("--unused-for <duration>", "only those that got no key for so long, such as 90d")
    .action(async (options: Asking & Parameters<typeof clientsCommands.listClients>[0]) => {
      const { listClients } = await import("./clients.ts");
      exit(await listClients(options, context(options)));
    });
  command("show", "all that is known of one")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { showClient } = await import("./clients.ts");
      exit(await showClient(given, context(options)));
    });
  proving(command("add-key", "a further way to prove who it is; those that it has stay good"))
    .addArgument(id)
    .action(async (given: string, options: Asking & ProofOptions) => {
      const { addClientKey } = await import("./clients.ts");
      exit(await addClientKey(given, options, context(options)));
    });
  command("remove-key", "take one of them away")
    .addArgument(id)
    .argument("<key>", "its id, as show prints it")
    .action(async (given: string, key: string, options: Asking) => {
      const { removeClientKey } = await import("./clients.ts");
      exit(await removeClientKey(given, key, context(options)));
    });
  command("disable", "it gets no key, and those that it has are good for nothing")
    .addArgument(id)
    .option("--reason <text>", "for operators")
    .action(async (given: string, options: Asking & { readonly reason?: string }) => {
      const { disableClient } = await import("./clients.ts");
      exit(await disableClient(given, options, context(options)));
    });
  command("enable", "it may get keys again; those that it had stay dead")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { enableClient } = await import("./clients.ts");
      exit(await enableClient(given, context(options)));
    });
  command("remove", "forget it: what it got until now is dead")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { removeClient } = await import("./clients.ts");
      exit(await removeClient(given, context(options)));
    });
}

/** Keys that were issued to services: taken back as anything is, by the revocations. */
function addIssuedKeyCommands(keys: Command, exit: Exit): void {
  for (const [mode, description] of [
    ["revoke", "issued keys: what was issued until now is dead, with all derived from it"],
    ["block", "issued keys: nothing is good until it is lifted (sallyport revocations lift)"],
  ] as const) {
    const command = asking(keys.command(mode))
      .description(description)
      .option("--key-file <file>", "the one key in this file; -: from standard input")
      .option("--id <jti>", "the one key of this jti")
      .option("--subject <text>", "those of a client, or of a principal such as mesh/spiffe://…")
      .option("--service <name>", "those that are presented to this service")
      .option("--authenticator <name>", "all that it vouches for; with the others: whose they are")
      .option("--reason <text>", "for operators");
    if (mode === "block") command.option("--until <time>", "when it ends, 2026-12-24T18:00:00Z");
    else command.option("--expires <time>", "when it can be forgotten, such as the key's exp");
    command.option("--unchecked", "even where the configuration has nothing of that name", false);
    command.action(async (options: ConnectOptions & IssuedKeyOptions) => {
      const deps = { stdin: process.stdin, hint, nowMs: Date.now };
      const { endIssuedKeys } = await import("./issued-keys.ts");
      exit(await endIssuedKeys(mode, options, deps));
    });
  }
}

function addKeyCommands(keys: Command, exit: Exit): void {
  asking(keys.command("list"))
    .description("keys that are published, without their private halves")
    .option("--json", "for programs", false)
    .action(async (options: Asking) => {
      const { listKeys } = await import("./keys.ts");
      exit(await listKeys(options));
    });
  asking(keys.command("rotate"))
    .description("publish the next key of a use now")
    .addArgument(new Argument("<use>", "what it signs").choices([...KEY_USES, "all"]))
    .option("--emergency", "at once, and nothing that was signed before verifies any more", false)
    .action(
      async (use: KeyUse | "all", options: ConnectOptions & { readonly emergency: boolean }) => {
        const { rotateKey } = await import("./keys.ts");
        exit(await rotateKey(use, options));
      },
    );
  asking(keys.command("roots"))
    .description("roots that enrolled machines are certified by")
    .option("--json", "for programs", false)
    .action(async (options: Asking) => {
      const { listRoots } = await import("./keys.ts");
      exit(await listRoots(options));
    });
  asking(keys.command("rotate-root"))
    .description("publish the next root now; it signs in 30 days")
    .option("--emergency", "at once and alone: every machine has to enrol anew", false)
    .option("--yes", "with --emergency: do not ask", false)
    .action(async (options: ConnectOptions & { readonly emergency: boolean; yes: boolean }) => {
      const { rotateRoot } = await import("./keys.ts");
      exit(await rotateRoot(options));
    });
}

/** What says where the running process is asked; the same on every command that asks it. */
function asking(command: Command): Command {
  return configured(command)
    .option("--admin <place>", "https://host:port or the path of a socket (else admin.socket)")
    .option("--token-file <file>", "a bearer token, for https://")
    .option("--ca <file>", "PEM of the authorities of that server");
}

/** `-c/--config`, the same on every command that has it. */
function configured(command: Command): Command {
  return command.addOption(
    new Option("-c, --config <file>", "the configuration").default("sallyport.yaml"),
  );
}

function print(line: string): void {
  console.log(line);
}

/** What is for a person, and not for a pipe. */
function hint(line: string): void {
  console.error(line);
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

/** One line for each thing that is wrong; a stack only for a defect of ours. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // commander has already said it; help and version end in success.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof ConfigError) {
    for (const problem of error.problems) console.error(formatProblem(problem));
  } else if (error instanceof SallyportError) {
    console.error(`sallyport: ${error.message}`);
  } else {
    console.error("sallyport: a defect of its own; please report it", error);
  }
  return 2;
}

/** Whoever reads our output may go away (`| head`, a log collector); a running proxy must not. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

if (import.meta.main) {
  outliveReaders();
  process.exitCode = await main(process.argv.slice(2));
}
