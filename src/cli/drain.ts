/** `sallyport drain`: an orderly end, as SIGTERM begins it. */
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";

/** Returns once it has begun. */
export async function drain(options: ConnectOptions): Promise<number> {
  await connectAdmin(options).drain();
  console.log("draining: no new requests, what is in flight may end");
  return 0;
}
