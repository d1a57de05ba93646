/**
 * Policy files to the one verb of the gate. The official engine parses and validates them in a thread
 * (load-policies.ts has what is refused); this thread compiles its JSON in short slices, so that
 * traffic goes on meanwhile.
 */
import { setImmediate } from "node:timers/promises";
import type { Problem } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { compilePolicy, type CompiledPolicy } from "./cedar/compile-policy.ts";
import type { FileEntity } from "./data/file-entity.ts";
import { createFileEntities } from "./decide/file-entities.ts";
import { createGatePolicies, type InspectablePolicies } from "./decide/gate-policies.ts";
import type { LoadedPolicy } from "./load/load-policies.ts";
import { runOfficialTask } from "./official/official-thread.ts";
import type { FormatResult } from "./load/format-policies.ts";
import type { PolicyFile, PolicySource } from "./policy-source.ts";
import type { PolicyJson } from "./cedar/policy-json.ts";

export interface CompileDeps {
  readonly clock: Pick<Clock, "monotonic">;
  /** Told of each policy whose scope and conditions hold, whenever they do. Left out: nobody asks. */
  readonly held?: ((id: string) => void) | undefined;
}

export type CompileResult =
  | {
      readonly policies: InspectablePolicies;
      /** Worth saying, though the policies are in force. */
      readonly warnings: readonly Problem[];
      readonly problems?: undefined;
    }
  | { readonly problems: readonly Problem[]; readonly policies?: undefined };

const LIMITS = {
  /** A request that arrives meanwhile waits at most about this long. */
  sliceMs: 4,
} as const;

/** Policies that passed every check of the official engine: plain data that can go to another process. */
export interface VerifiedPolicies {
  readonly policies: readonly LoadedPolicy[];
  /** Templates that no link fills. */
  readonly unlinked: readonly LoadedPolicy[];
  /** What data files say of principals, roles and groups. */
  readonly entities: readonly FileEntity[];
  readonly hash: string;
  readonly warnings: readonly Problem[];
}

export type VerifyResult =
  | { readonly verified: VerifiedPolicies; readonly problems?: undefined }
  | { readonly problems: readonly Problem[]; readonly verified?: undefined };

/** All problems at once. Rejects with SallyportError when the official engine does not answer. */
export async function compilePolicies(
  source: PolicySource,
  deps: CompileDeps,
): Promise<CompileResult> {
  const result = await verifyPolicies(source);
  if (result.problems !== undefined) return { problems: result.problems };
  return await compileVerified(result.verified, source.vocabulary, deps);
}

export interface VerifyOptions {
  /** Folder in which the bundle is kept once it passed (`kept-bundles.ts`); left out: it is not kept. */
  readonly keep?: string | undefined;
}

/** The first half: what the official engine says, in its thread. */
export async function verifyPolicies(
  { files, vocabulary }: PolicySource,
  { keep }: VerifyOptions = {},
): Promise<VerifyResult> {
  const policies: LoadedPolicy[] = [];
  const entities: FileEntity[] = [];
  for await (const message of runOfficialTask({ kind: "load", files, vocabulary, keep })) {
    if (message.kind === "policies") {
      for (const policy of message.policies) policies.push(policy);
    } else if (message.kind === "entities") {
      for (const entity of message.entities) entities.push(entity);
    } else if (message.kind === "done") {
      const { problems, warnings, unlinked, hash } = message;
      if (problems.length > 0) return { problems };
      return { verified: { policies, unlinked, entities, hash, warnings } };
    }
  }
  throw new TypeError("the thread of the Cedar engine gave no result");
}

/** The second half: closures in this thread, in slices. */
export async function compileVerified(
  { policies, entities, hash, warnings }: VerifiedPolicies,
  vocabulary: Vocabulary,
  { clock, held }: CompileDeps,
): Promise<CompileResult> {
  const compiled: CompiledPolicy[] = [];
  const problems: Problem[] = [];
  const pause = createSlices(clock);
  for (const policy of policies) {
    compileInto(compiled, policy, problems);
    await pause();
  }
  if (problems.length > 0) return { problems };
  const asked = held === undefined ? compiled : compiled.map((one) => watched(one, held));
  const files = await createFileEntities(entities, pause);
  const made = await createGatePolicies({ policies: asked, files, vocabulary, hash }, pause);
  return { policies: made, warnings };
}

function watched(policy: CompiledPolicy, held: (id: string) => void): CompiledPolicy {
  return {
    ...policy,
    applies(environment) {
      const holds = policy.applies(environment);
      if (holds) held(policy.id);
      return holds;
    },
  };
}

/** The schema of a configuration and its data files in Cedar's text format, for people and editors. */
export async function schemaText({
  files,
  vocabulary,
}: PolicySource): Promise<{ readonly text: string } | { readonly problems: readonly Problem[] }> {
  for await (const message of runOfficialTask({ kind: "schema-text", files, vocabulary })) {
    if (message.kind === "text") return { text: message.text };
    if (message.kind === "no-text") return { problems: message.problems };
  }
  throw new TypeError("the thread of the Cedar engine gave no result");
}

/** Each file in the form of Cedar's formatter, or why not; in the order of the files. */
export async function formatPolicies(
  files: readonly PolicyFile[],
): Promise<readonly FormatResult[]> {
  for await (const message of runOfficialTask({ kind: "format", files })) {
    if (message.kind === "formatted") return message.results;
  }
  throw new TypeError("the thread of the Cedar engine gave no result");
}

/** Returns the function that lets the event loop run whenever a slice is used up. */
function createSlices(clock: Pick<Clock, "monotonic">): () => Promise<void> | undefined {
  let began = clock.monotonic();
  const turn = async (): Promise<void> => {
    await setImmediate();
    began = clock.monotonic();
  };
  return () => (clock.monotonic() - began < LIMITS.sliceMs ? undefined : turn());
}

function compileInto(compiled: CompiledPolicy[], loaded: LoadedPolicy, problems: Problem[]): void {
  const { id, json, file, line, column } = loaded;
  try {
    compiled.push(compilePolicy(JSON.parse(json) as PolicyJson, { id, order: compiled.length }));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    problems.push({
      file,
      line,
      column,
      message: `policy '${id}' uses what this version does not know: ${error.message}`,
      remedy: "write it with Cedar 4.5",
    });
  }
}
