/** Commands about keys that the authority signs with, and those that it has issued. */
import { KEY_USES, type KeyUse } from "../../model/signing.ts";
import type { ConnectOptions } from "../admin-connect.ts";
import type { IssuedKeyOptions } from "../issued-keys.ts";
import { type Asking, type Exit, asking, hint, Argument, type Command } from "./common.ts";

export function addKeyCommands(keys: Command, exit: Exit): void {
  asking(keys.command("list"))
    .description("keys that are published, without their private halves")
    .option("--json", "for programs", false)
    .action(async (options: Asking) => {
      const { listKeys } = await import("../keys.ts");
      exit(await listKeys(options));
    });
  asking(keys.command("rotate"))
    .description("publish the next key of a use now")
    .addArgument(new Argument("<use>", "what it signs").choices([...KEY_USES, "all"]))
    .option("--emergency", "at once, and nothing that was signed before verifies any more", false)
    .action(
      async (use: KeyUse | "all", options: ConnectOptions & { readonly emergency: boolean }) => {
        const { rotateKey } = await import("../keys.ts");
        exit(await rotateKey(use, options));
      },
    );
  asking(keys.command("roots"))
    .description("roots that enrolled machines are certified by")
    .option("--json", "for programs", false)
    .action(async (options: Asking) => {
      const { listRoots } = await import("../keys.ts");
      exit(await listRoots(options));
    });
  asking(keys.command("rotate-root"))
    .description("publish the next root now; it signs in 30 days")
    .option("--emergency", "at once and alone: every machine has to enrol anew", false)
    .option("--yes", "with --emergency: do not ask", false)
    .action(async (options: ConnectOptions & { readonly emergency: boolean; yes: boolean }) => {
      const { rotateRoot } = await import("../keys.ts");
      exit(await rotateRoot(options));
    });
}

/** Keys that were issued to services: taken back as anything is, by the revocations. */
export function addIssuedKeyCommands(keys: Command, exit: Exit): void {
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
      const { endIssuedKeys } = await import("../issued-keys.ts");
      exit(await endIssuedKeys(mode, options, deps));
    });
  }
}
