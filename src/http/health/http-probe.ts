/** A health check by GET: the status of the answer decides, and its body is not waited for. */
import type { ResponseHead } from "../../model/http.ts";
import { Probe, type ProbeDeps } from "./probe.ts";

export interface HttpQuestion {
  readonly path: string;
  readonly host: string;
  readonly passes: (status: number) => boolean;
}

export class HttpProbe extends Probe {
  readonly #passes: (status: number) => boolean;

  constructor({ path, host, passes }: HttpQuestion, deps: ProbeDeps) {
    const fields = ["host", host, "user-agent", "sallyport-health"];
    super({ method: "GET", target: path, fields, body: undefined, trailers: false }, deps);
    this.#passes = passes;
  }

  responseHead({ status }: ResponseHead): void {
    this.report(this.#passes(status) ? undefined : `status ${status}`);
  }

  responseChunk(): void {}
  responseEnd(): void {}
}
