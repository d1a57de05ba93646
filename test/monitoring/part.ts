/** One kind of load: what the stage needs for it, and who calls. */
import type { Stage, StageOptions } from "../e2e/stage.ts";

export interface Part {
  /** Each text goes behind those of the other parts; `config` is at top level. */
  readonly options: Pick<
    StageOptions,
    "authenticators" | "services" | "routes" | "policies" | "config"
  >;
  readonly secrets?: Readonly<Record<string, string>>;
  prepare?(folder: string): void;
  /** What is called in one round, in which all parts call at once. */
  round?(at: Place, round: number): readonly Promise<unknown>[];
  /** The same, where the next round begins before it has its answers. */
  aside?(at: Place, round: number): readonly Promise<unknown>[];
  /** After the last round: lets go what it holds open, which a proxy would wait for as it ends. */
  rest?(): void;
}

export interface Place {
  readonly stage: Stage;
  /** Of the listener with TLS, `host:port`. */
  readonly secure: string;
}

/** One request to the end of its answer, whatever that is. */
export async function call(
  address: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const answer = await fetch(`http://${address}${path}`, {
    headers: { ...headers, host: "api.example" },
  });
  await answer.arrayBuffer();
}

export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}
