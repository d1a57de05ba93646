/** Commands about policies: their tests, what they answer and would have answered, their files. */
import { TEST_FORMATS } from "../choices.ts";
import type { ExplainOptions } from "../explain.ts";
import type { QuestionOptions } from "../explain-question.ts";
import type { AnswerOptions, WhatOptions } from "../policy-answers.ts";
import type { BuildOptions } from "../policy-build.ts";
import type { DiffOptions } from "../policy-diff.ts";
import type { FmtOptions } from "../policy-fmt.ts";
import type { SuggestOptions } from "../policy-suggest.ts";
import type { ReplayOptions } from "../replay.ts";
import type { TestOptions } from "../test-policies.ts";
import {
  type Exit,
  asking,
  collect,
  configured,
  print,
  type Command,
  InvalidArgumentError,
  Option,
} from "./common.ts";

export function addPolicyCommands(policy: Command, exit: Exit): void {
  addSuggestCommand(policy, exit);
  configured(policy.command("schema"))
    .description("print the Cedar schema that the configuration gives policies")
    .action(async (options: { readonly config: string }) => {
      const { policySchema } = await import("../policy-schema.ts");
      exit(await policySchema(options.config));
    });
  configured(policy.command("fmt"))
    .description("give policy files the form of Cedar's formatter; their meaning stays")
    .argument("[files...]", "files, or folders of *.cedar; those of the configuration if none")
    .option("--check", "write nothing; exit with 1 where a file has another form", false)
    .action(async (files: string[], options: FmtOptions) => {
      const { policyFmt } = await import("../policy-fmt.ts");
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
      const { whoCan } = await import("../policy-answers.ts");
      exit(await whoCan(action, resource, options));
    });
  about(policy.command("what-can"))
    .description("what a caller may do, on each route: yes, no, or on what it depends")
    .argument("<principal>", 'User::"corp/alice", User::"corp/*" for anybody, or anonymous')
    .option("--role <role>", "a role that it has, as policies see it (repeatable)", collect, [])
    .option("--group <group>", "a group that it is in (repeatable)", collect, [])
    .action(async (principal: string, options: WhatOptions) => {
      const { whatCan } = await import("../policy-answers.ts");
      exit(await whatCan(principal, options));
    });
  configured(policy.command("build"))
    .description("check the policies and write them, with their data and tests, as one file")
    .option("--sign-key <file>", "private key in PEM that signs it (repeatable)", collect, [])
    .option("--out <file>", "where to write (otherwise HASH.json)")
    .action(async (options: BuildOptions) => {
      const { policyBuild } = await import("../policy-build.ts");
      exit(await policyBuild(options));
    });
  configured(policy.command("fetch"))
    .description("fetch the policy bundle that the configuration names by URL")
    .action(async (options: { readonly config: string }) => {
      const { policyFetch } = await import("../policy-fetch.ts");
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
      const { policyDiff } = await import("../policy-diff.ts");
      exit(await policyDiff(from, to, options));
    });
}

export function addTestCommand(program: Command, exit: Exit): void {
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
      const { testPolicies } = await import("../test-policies.ts");
      exit(await testPolicies({ ...options, filter }, { write }));
    });
}

function percentOf(text: string): number {
  if (!/^(?:100|[1-9]?[0-9])$/.test(text))
    throw new InvalidArgumentError("a number from 0 to 100.");
  return Number(text);
}

export function addExplainCommand(command: Command, exit: Exit): void {
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
        const { explain } = await import("../explain.ts");
        exit(await explain(first, options));
      } else if (as === undefined || url === undefined) {
        command.error("error: either the id of a decision, or --as PRINCIPAL METHOD URL");
      } else {
        const { explainQuestion } = await import("../explain-question.ts");
        exit(await explainQuestion([first, url], { ...options, as }));
      }
    },
  );
}

export function addReplayCommand(program: Command, exit: Exit): void {
  recorded(configured(program.command("replay")))
    .description("what other policies would have decided; exits 1 where an answer flips")
    .option("--policies <path...>", "policies in place of those of the configuration", [])
    .addOption(new Option("--format <format>", "how").choices(["text", "json"]).default("text"))
    .action(async (options: ReplayOptions) => {
      const { replay } = await import("../replay.ts");
      exit(await replay(options, print));
    });
}

export function addSuggestCommand(policy: Command, exit: Exit): void {
  recorded(configured(policy.command("suggest")))
    .description("permits that cover recorded traffic, those that nothing used, and test cases")
    .option("--unused-for <days>", "how long a permit has to be unused to be listed", "30d")
    .option("--out <folder>", "where to write (otherwise the permits go to standard output)")
    .action(async (options: SuggestOptions) => {
      const { policySuggest } = await import("../policy-suggest.ts");
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
