/** Waits for the signal that ends a command. */

/** The first SIGTERM or SIGINT from now on. */
export function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    const stop = (signal: string): void => {
      resolve(signal);
      // Later, when who waits has put its own in place: without any, a signal would end us at once.
      setImmediate(() => {
        process.off("SIGTERM", stop);
        process.off("SIGINT", stop);
      });
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}

/** Aborted by the first SIGTERM or SIGINT from now on, or when nobody reads our output any more. */
export function endingSignal(): AbortSignal {
  const controller = new AbortController();
  void firstSignal().then((signal) => controller.abort(signal));
  process.stdout.once("error", () => controller.abort());
  return controller.signal;
}
