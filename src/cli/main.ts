/**
 * The command line: which commands there are and what their options are called. Each command is a
 * file of its own that knows nothing of these, and is loaded when it is asked for where it brings half
 * of Sallyport with it: a search must not wait for the proxy to load. Exit codes: 0 fine, 1 the answer is
 * no, 2 it could not run.
 */
import { ConfigError, formatProblem, SallyportError } from "../model/errors.ts";
import { productVersion } from "../platform/version.ts";
import type { CheckOptions } from "./check.ts";
import { withDashedOperands } from "./dashed-operands.ts";
import type { EnrolOptions } from "./enrol.ts";
import type { RenewOptions } from "./enrol-renew.ts";
import { FORMATS, SEVERITIES } from "./choices.ts";
import type { InitOptions } from "./init.ts";
import { firstSignal } from "./first-signal.ts";
import {
  type Exit,
  collect,
  configured,
  hint,
  print,
  Command,
  CommanderError,
  Option,
} from "./commands/common.ts";
import {
  addPolicyCommands,
  addTestCommand,
  addExplainCommand,
  addReplayCommand,
} from "./commands/policy.ts";
import { addAuditCommands, addProofCommands } from "./commands/audit.ts";
import { addUsageCommands } from "./commands/usage.ts";
import { addStoreCommands } from "./commands/store.ts";
import { addProcessCommands } from "./commands/process.ts";
import { addRevocationCommands } from "./commands/revocations.ts";
import { addWorkloadCommands } from "./commands/workloads.ts";
import { addApiKeyCommands } from "./commands/api-keys.ts";
import { addClientCommands } from "./commands/clients.ts";
import { addKeyCommands, addIssuedKeyCommands } from "./commands/keys.ts";

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

function createProgram(exit: Exit): Command {
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
