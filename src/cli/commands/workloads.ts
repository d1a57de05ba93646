/** Commands about enrolled machines. */
import type * as workloadsCommands from "../workloads.ts";
import { ENROLMENT_METHODS, WORKLOAD_KINDS } from "../../model/workloads.ts";
import {
  type Asking,
  type Exit,
  adminContext,
  askingIn,
  Argument,
  type Command,
  Option,
} from "./common.ts";

export function addWorkloadCommands(workloads: Command, exit: Exit): void {
  const command = askingIn(workloads);
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
        const { enrolWorkload } = await import("../workloads.ts");
        exit(await enrolWorkload(given, options, adminContext(options)));
      },
    );
  command("list", "the machines that are known")
    .option("--unused <duration>", "only those that were not seen for so long, such as 30d")
    .action(async (options: Asking & { readonly unused?: string }) => {
      const { listWorkloads } = await import("../workloads.ts");
      exit(await listWorkloads(options, adminContext(options)));
    });
  command("show", "all that is known of one")
    .addArgument(name)
    .action(async (given: string, options: Asking) => {
      const { showWorkload } = await import("../workloads.ts");
      exit(await showWorkload(given, adminContext(options)));
    });
  command("disable", "from now on nothing of it is accepted")
    .addArgument(name)
    .option("--reason <text>", "for operators")
    .action(async (given: string, options: Asking & { readonly reason?: string }) => {
      const { disableWorkload } = await import("../workloads.ts");
      exit(await disableWorkload(given, options, adminContext(options)));
    });
  command("enable", "undo that")
    .addArgument(name)
    .action(async (given: string, options: Asking) => {
      const { enableWorkload } = await import("../workloads.ts");
      exit(await enableWorkload(given, adminContext(options)));
    });
  command("re-enrol", "a new join token: what the machine has ends when it is redeemed")
    .addArgument(name)
    .option("--now", "what it has ends at once", false)
    .action(async (given: string, options: Asking & { readonly now: boolean }) => {
      const { reenrolWorkload } = await import("../workloads.ts");
      exit(await reenrolWorkload(given, options, adminContext(options)));
    });
  command("remove", "forget it: what it still has names nobody")
    .addArgument(name)
    .action(async (given: string, options: Asking) => {
      const { removeWorkload } = await import("../workloads.ts");
      exit(await removeWorkload(given, adminContext(options)));
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
