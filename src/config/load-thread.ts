/**
 * Reads a configuration in a thread of its own, so that a reload holds up no request: YAML, schemas
 * and cross-checks of 1 000 routes take some 300 ms, and what serves must not wait for them.
 */
import { Worker } from "node:worker_threads";
import { ConfigError, type Problem, SallyportError } from "../model/errors.ts";
import { nextMessage } from "../platform/thread-message.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import type { LoadedConfig, LoadSources } from "./load.ts";
import type { PolicyTests } from "./policy-tests.ts";
import type { PublishedBundle } from "./publish.ts";
import type { Descriptions } from "./descriptions.ts";
import { deepFreeze } from "./resolve-paths.ts";
import type { Config } from "./schema.ts";
import { createVocabulary, type Words } from "./vocabulary.ts";

export interface LoadThreadTask {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly bundle: string | undefined;
}

export type LoadMessage =
  | { readonly kind: "routes"; readonly routes: Config["routes"] }
  | { readonly kind: "texts"; readonly texts: readonly TextPiece[] }
  /** The rest: its files have no text any more. */
  | {
      readonly kind: "done";
      readonly file: string;
      readonly config: Omit<Config, "routes">;
      readonly descriptions: Descriptions;
      readonly policyFiles: readonly PolicyFile[];
      readonly shadowFiles: readonly PolicyFile[] | undefined;
      readonly tests?: PolicyTests | undefined;
      readonly words: Words;
      readonly bundle: string | undefined;
      readonly published: readonly PublishedBundle[];
      readonly warnings: readonly Problem[];
      readonly hash: string;
      readonly shown: string;
    }
  | {
      readonly kind: "problems";
      readonly problems: readonly Problem[];
      readonly warnings: readonly Problem[];
    };

/** Which files of a configuration. */
export type TextList = "policyFiles" | "shadowFiles" | "tests";

/** A part of a file's text. */
export interface TextPiece {
  readonly list: TextList;
  readonly index: number;
  readonly text: string;
}

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/** What `loadConfig` gives, frozen. Throws ConfigError with every problem, as it does. */
export async function loadConfigInThread(
  file: string,
  { env, bundle }: LoadSources = process,
): Promise<LoadedConfig> {
  const workerData: LoadThreadTask = { file, env: { ...env }, bundle };
  const thread = new Worker(new URL(`./load-worker${EXTENSION}`, import.meta.url), { workerData });
  try {
    return await gather(thread);
  } finally {
    await thread.terminate();
  }
}

/** What came from another process is frozen as what was read here. */
export function freezePrepared(loaded: LoadedConfig): LoadedConfig {
  return deepFreeze(loaded);
}

async function gather(thread: Worker): Promise<LoadedConfig> {
  const gathering = createGathering();
  for (;;) {
    const whole = gathering(await nextMessage<LoadMessage>(thread, noAnswer));
    if (whole !== undefined) return whole;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    thread.postMessage("next");
  }
}

/** Returns the function that takes each message in turn, and gives the whole with the last. */
export function createGathering(): (message: LoadMessage) => LoadedConfig | undefined {
  const routes: Config["routes"] = [];
  const texts: Record<TextList, Map<number, string>> = {
    policyFiles: new Map(),
    shadowFiles: new Map(),
    tests: new Map(),
  };
  const withText = (list: TextList, files: readonly PolicyFile[]): readonly PolicyFile[] =>
    files.map(({ name }, index) => ({ name, text: texts[list].get(index) ?? "" }));
  return (message) => {
    if (message.kind === "problems") {
      throw new ConfigError([...message.problems, ...message.warnings]);
    }
    if (message.kind === "routes") {
      for (const route of message.routes) routes.push(deepFreeze(route));
      return undefined;
    }
    if (message.kind === "texts") {
      for (const { list, index, text } of message.texts) {
        texts[list].set(index, (texts[list].get(index) ?? "") + text);
      }
      return undefined;
    }
    const { kind: _, words, policyFiles, shadowFiles, tests, ...rest } = message;
    const config: Config = { ...rest.config, routes };
    return deepFreeze({
      ...rest,
      config,
      vocabulary: createVocabulary(config, rest.descriptions, words),
      policyFiles: withText("policyFiles", policyFiles),
      shadowFiles: shadowFiles && withText("shadowFiles", shadowFiles),
      tests: tests && { ...tests, files: withText("tests", tests.files) },
    });
  };
}

function noAnswer(cause: unknown): SallyportError {
  const message = "the thread that reads the configuration ended without an answer";
  return new SallyportError("io-failed", message, { cause });
}
