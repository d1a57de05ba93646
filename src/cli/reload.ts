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
    console.error(error.message);
    return 1;
  }
}
