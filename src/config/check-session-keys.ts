/**
 * The keys that browser sessions are sealed under: that each can be read by us and by nobody else, is a key,
 * and stands there once. A command is not run: it may ask another machine, and have an effect there.
 */
import { resolve } from "node:path";
import type { OidcOptions } from "../identity/oidc-options.ts";
import { sessionKeyFault } from "../identity/session/session-keys.ts";
import { SallyportError } from "../model/errors.ts";
import { readKey } from "../platform/key-source.ts";
import { systemTimers } from "../platform/timers.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

interface Subject {
  readonly draft: Draft;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export async function checkSessionKeys(subject: Subject): Promise<PathProblem[]> {
  const found = subject.draft.authenticators.map(async ({ path, options }) =>
    options.type === "oidc"
      ? await problemsOf(options.session.keys, [...path, "session", "keys"], subject)
      : [],
  );
  return (await Promise.all(found)).flat();
}

type Source = OidcOptions["session"]["keys"][number];

async function problemsOf(
  sources: readonly Source[],
  path: Path,
  subject: Subject,
): Promise<PathProblem[]> {
  const read = await Promise.all(sources.map((source) => readOne(source, subject)));
  const problems = read.flatMap((key, index): PathProblem[] => {
    if (key === undefined) return [];
    const at = [...path, index];
    if (!Buffer.isBuffer(key)) return [{ path: at, ...key }];
    const first = read.findIndex((other) => Buffer.isBuffer(other) && other.equals(key));
    if (first === index) return [];
    const message = `the key of entry ${index + 1} stands there before`;
    return [{ path: at, message, remedy: "each key once" }];
  });
  for (const key of read) if (Buffer.isBuffer(key)) key.fill(0);
  return problems;
}

async function readOne(
  source: Source,
  { folder, env }: Subject,
): Promise<Buffer | Omit<PathProblem, "path"> | undefined> {
  if ("command" in source) return undefined;
  const place = "file" in source ? { file: resolve(folder, source.file) } : source;
  try {
    return await readKey(place, { env, timers: systemTimers });
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const { fault, remedy } = sessionKeyFault(error);
    const message =
      "file" in source && "file" in place ? fault.replaceAll(place.file, source.file) : fault;
    return { message: `session key: ${message}`, remedy };
  }
}
