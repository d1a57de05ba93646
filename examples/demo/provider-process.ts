/**
 * The process of the demo's providers: the company's own, and a stranger's whose tokens must open
 * nothing. `provider-process.ts PORT GATE` prints what a client has to know of each as one line of JSON,
 * and ends when its standard input does, so that it never outlives the demo.
 */
import { startProvider } from "./provider.ts";

export interface ProviderFacts {
  readonly issuer: string;
  /** Client id → secret. */
  readonly secrets: Readonly<Record<string, string>>;
}

export interface Providers {
  readonly own: ProviderFacts;
  readonly stranger: ProviderFacts;
}

const [own, stranger] = await Promise.all([
  startProvider(Number(process.argv[2] ?? 0), process.argv[3] ?? ""),
  startProvider(0, process.argv[3] ?? ""),
]);
const facts: Providers = {
  own: { issuer: own.issuer, secrets: own.secrets },
  stranger: { issuer: stranger.issuer, secrets: stranger.secrets },
};
process.stdout.write(`${JSON.stringify(facts)}\n`);
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
