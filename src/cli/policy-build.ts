/** `sallyport policy build`: checks the policies of a configuration and writes them as one signed file. */
import { readPrivateKey } from "../crypto/private-key.ts";
import { publicHalf } from "../crypto/public-key.ts";
import type { JwsSigner } from "../crypto/sign-jws.ts";
import { formatProblem, SallyportError } from "../model/errors.ts";
import { runTests } from "../config/run-tests.ts";
import { outcomeOf } from "../config/test-outcome.ts";
import { systemClock } from "../platform/clock.ts";
import { readFileBytes } from "../platform/files.ts";
import { writeFileAtomic } from "../platform/write-file.ts";
import { writeBundleFile } from "../policy/bundle/bundle-file.ts";
import { namedSource } from "./policy-source.ts";

export interface BuildOptions {
  readonly config: string;
  /** Private keys in PEM. */
  readonly signKey: readonly string[];
  readonly out?: string | undefined;
}

/** 1: a test of the policies fails, and nothing is written. Throws ConfigError with every problem of the configuration. */
export async function policyBuild({ config, signKey, out }: BuildOptions): Promise<number> {
  const signers = signKey.map(signerOf);
  const { source, tests, policies, verified, configured } = await namedSource(config);
  if (configured?.tests !== undefined) {
    const { vocabulary } = source;
    const run = { tests: configured.tests, verified, vocabulary };
    const { problems, faults } = outcomeOf(await runTests(run, { clock: systemClock }));
    for (const problem of problems) console.log(formatProblem(problem));
    if (faults > 0) return 1;
  }
  const { hash, text } = writeBundleFile({ source, tests }, { signers, now: Date.now() });
  const file = out ?? `${hash}.json`;
  await writeFileAtomic(file, text);
  const by = signers.length === 0 ? "not signed" : signers.map(({ kid }) => kid).join(", ");
  console.log(`${hash}  ${file}`);
  console.log(`policies: ${policies.length}, tests: ${tests.length}, signed by: ${by}`);
  return 0;
}

function signerOf(path: string): JwsSigner {
  try {
    const pem = readFileBytes(path).toString("utf8");
    return readPrivateKey(pem, publicHalf(pem).thumbprint);
  } catch (error) {
    const why =
      error instanceof SallyportError ? error.message : (error as NodeJS.ErrnoException).code;
    throw new SallyportError("key-invalid", `${path}: ${why ?? "unreadable"}`, { cause: error });
  }
}
