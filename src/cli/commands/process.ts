/** Commands that ask the running process, over its admin API. */
import { drain } from "../drain.ts";
import { reload } from "../reload.ts";
import { showStatus } from "../status.ts";
import { type Asking, type Exit, asking, type Command } from "./common.ts";

/** Commands that ask the running process, over its admin API. */
export function addProcessCommands(program: Command, exit: Exit): void {
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
