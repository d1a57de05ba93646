/**
 * `sallyport enrol`, on the machine: makes its key here, redeems the join token, keeps what comes back.
 * The token comes by a file or standard input, so that it is in no list of processes and no history;
 * `--token TOKEN` is there for those who know what they do.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { enrolMachine } from "../authority/enrolment/machine-enrolment.ts";
import { loadOwn } from "../config/load.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";

const LIMITS = {
  /** Characters that are read where a token is expected; the longest has about a thousand. */
  token: 8192,
} as const;

export interface EnrolOptions {
  /** The configuration of a proxy that follows a feed: says folder and addresses where options do not. */
  readonly config: string;
  readonly authority: readonly string[];
  /** The token itself; `-`: from standard input. */
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly identity?: string | undefined;
  readonly replace?: boolean | undefined;
}

export interface EnrolDeps {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly print: (line: string) => void;
  readonly hint: (line: string) => void;
}

/** Resolves to the exit code. Throws `enrolment-failed`, which says what to do, and ConfigError. */
export async function enrol(options: EnrolOptions, deps: EnrolDeps): Promise<number> {
  const place = await placeOf(options);
  const token = await tokenOf(options, deps);
  const identity = await enrolMachine(
    {
      token,
      folder: place.folder,
      authorities: [...options.authority, ...place.feed],
      expect: place.proxy ? { kind: "proxy", method: "mtls" } : undefined,
      replace: options.replace,
    },
    { clock: systemClock, hint: deps.hint },
  );
  const until = new Date(identity.notAfterMs).toISOString();
  deps.print(`enrolled  ${identity.name}  ${identity.kind}  until ${until}`);
  deps.print(`identity  ${place.folder}`);
  deps.hint(
    place.proxy
      ? "`sallyport run` renews it by itself from now on."
      : `It has to be renewed before then: \`sallyport renew --follow --identity ${place.folder}\` does so by itself.`,
  );
  return 0;
}

interface Place {
  readonly folder: string;
  readonly feed: readonly string[];
  /** The folder is that of a proxy's configuration. */
  readonly proxy: boolean;
}

async function placeOf({ identity, config }: EnrolOptions): Promise<Place> {
  if (identity !== undefined) return { folder: resolve(identity), feed: [], proxy: false };
  const own = await loadOwn(config);
  if (own === undefined) {
    throw new ConfigError([
      {
        file: config,
        message: "it is not the configuration of a proxy that follows a feed",
        remedy: "--identity FOLDER, or a configuration with authority: { feed: …, identity: … }",
      },
    ]);
  }
  const { authority } = own.config;
  return { folder: authority.identity, feed: authority.feed, proxy: true };
}

async function tokenOf({ token = "-", tokenFile }: EnrolOptions, deps: EnrolDeps): Promise<string> {
  if (token !== "-" && tokenFile !== undefined) throw failed("--token or --token-file, not both");
  if (tokenFile !== undefined) return readTokenFile(tokenFile);
  if (token !== "-") return token;
  if (deps.stdin.isTTY) deps.hint("Paste the join token, then Enter:");
  return firstLine(deps.stdin);
}

async function readTokenFile(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).slice(0, LIMITS.token);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw failed(`${path} cannot be read (${code})`);
  }
}

async function firstLine(stdin: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.includes("\n") || text.length > LIMITS.token) break;
  }
  const [line = ""] = text.split("\n", 1);
  if (line.trim() === "") {
    throw failed(
      "there is no join token on standard input; `sallyport workloads enrol NAME` gives one",
    );
  }
  return line;
}

function failed(message: string): SallyportError {
  return new SallyportError("enrolment-failed", message);
}
