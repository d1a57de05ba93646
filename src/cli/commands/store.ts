/** Commands about the authority's store. */
import { type Exit, configured, type Command } from "./common.ts";

export function addStoreCommands(store: Command, exit: Exit): void {
  configured(store.command("status"))
    .description("print what the store is and how much it holds")
    .action(async (options: { readonly config: string }) => {
      const { storeStatus } = await import("../store-status.ts");
      exit(await storeStatus(options.config));
    });

  configured(store.command("backup <file>"))
    .description("copy a SQLite store into a new file, while it is in use")
    .action(async (file: string, options: { readonly config: string }) => {
      const { storeBackup } = await import("../store-backup.ts");
      exit(await storeBackup(options.config, file));
    });

  configured(store.command("restore <file>"))
    .description("put a backup in the place of a SQLite store, under a new epoch")
    .option("--replace", "set aside the store that is there", false)
    .action(async (file: string, options: { config: string; replace: boolean }) => {
      const { storeRestore } = await import("../store-restore.ts");
      exit(await storeRestore(options.config, file, options));
    });

  configured(store.command("new-epoch"))
    .description("say that the store was restored by other means: followers read all of it anew")
    .action(async (options: { readonly config: string }) => {
      const { storeNewEpoch } = await import("../store-new-epoch.ts");
      exit(await storeNewEpoch(options.config));
    });

  configured(store.command("rewrap"))
    .description("seal all secrets anew, under the current key-encryption key")
    .action(async (options: { readonly config: string }) => {
      const { storeRewrap } = await import("../store-rewrap.ts");
      exit(await storeRewrap(options.config));
    });
}
