/** `sallyport reload`: reads the configuration again and says what became of it. */
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { AdminCallError } from "./admin-transport.ts";

/** 0: it is in force; 1: it does not validate, and nothing has changed. Throws AdminCallError otherwise. */
export async function reload(options: ConnectOptions): Promise<number> {
  try {
    const { value } = await connectAdmin(options).reloadConfig();
    console.log(`in force  ${value.hash}`);
    return 0;
  } catch (error) {
    if (!(error instanceof AdminCallError) || error.problem?.reason !== "config-invalid")
      throw error;
    const { faults = [] } = error.problem;
    // As in a refusal of what only a restart changes: `restart, or undo that change`.
    const restart = faults.some(({ remedy = "" }) => /(?:^|, or )restart\b/.test(remedy));
    const [title = "", ...lines] = error.message.split("\n");
    const headline = restart ? "what has changed needs a restart" : title;
    console.error([`not reloaded: ${headline}`, ...lines].join("\n"));
    return 1;
  }
}
