/** What the commands have in common: options, and where they write to. The one file that knows `commander`. */
import { type Command, Option } from "commander";
import { connectAdmin, type ConnectOptions } from "../admin-connect.ts";

export { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";

/** Takes the exit code of a command. */
export type Exit = (code: number) => void;
export type Asking = ConnectOptions & { readonly json: boolean };

/** What says where the running process is asked; the same on every command that asks it. */
export function asking(command: Command): Command {
  return configured(command)
    .option("--admin <place>", "https://host:port or the path of a socket (else admin.socket)")
    .option("--token-file <file>", "a bearer token, for https://")
    .option("--ca <file>", "PEM of the authorities of that server");
}

/** `-c/--config`, the same on every command that has it. */
export function configured(command: Command): Command {
  return command.addOption(
    new Option("-c, --config <file>", "the configuration").default("sallyport.yaml"),
  );
}

/** Makes commands of a family that ask the running process, each with `--json`. */
export function askingIn(family: Command): (name: string, description: string) => Command {
  return (name, description) =>
    asking(family.command(name)).description(description).option("--json", "for programs", false);
}

/** An option that is said once for each value: a list would also take the operand that stands behind it. */
export function several(command: Command, flags: string, description: string): Command {
  return command.option(flags, `${description}; may be said several times`, collect, []);
}

export function print(line: string): void {
  console.log(line);
}

/** What is for a person, and not for a pipe. */
export function hint(line: string): void {
  console.error(line);
}

export function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

/** Where commands write to: what a program may read, and what is for a person. */
export const said = { write: (text: string): void => void process.stdout.write(text), hint };

/** What commands need that ask the running process about things of one kind. */
export function adminContext(options: Asking) {
  return { client: connectAdmin(options), nowMs: Date.now, ...said, json: options.json };
}
