/** `sallyport check`: prints every problem and finding of a configuration and its policies. */
import { checkConfig } from "../config/check.ts";
import { formatProblem } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";

/** 0: nothing is wrong; 1: at least one finding was printed. Throws ConfigError where there is no file. */
export async function check(config: string): Promise<number> {
  const { problems, loaded } = await checkConfig(config, { env: process.env, clock: systemClock });
  for (const problem of problems) console.log(formatProblem(problem));
  if (problems.length > 0 || loaded === undefined) return 1;
  const { routes, services } = loaded.vocabulary;
  const policies = loaded.policyFiles.length;
  console.log(
    `${config}: fine (routes: ${routes.length}, services: ${services.length}, policy files: ${policies})`,
  );
  return 0;
}
