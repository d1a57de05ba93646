/**
 * What the thread that reads a configuration hands over, in pieces that each cost the receiver about a
 * millisecond: it may serve requests meanwhile.
 */
import type { PolicyFile } from "../policy/policy-source.ts";
import type { LoadedConfig } from "./load.ts";
import type { LoadMessage, TextList, TextPiece } from "./load-thread.ts";
import type { Words } from "./vocabulary.ts";

export const LOAD_LIMITS = {
  /** Routes in one message: copying and freezing them costs the receiver about a millisecond. */
  routes: 100,
  /** Characters of files in one message: likewise. Data files may have megabytes. */
  chars: 256 * 1024,
} as const;

export function* loadMessages(loaded: LoadedConfig, words: Words): Generator<LoadMessage> {
  const { vocabulary: _, config, policyFiles, shadowFiles, tests, ...others } = loaded;
  const { routes, ...rest } = config;
  for (let from = 0; from < routes.length; from += LOAD_LIMITS.routes) {
    yield { kind: "routes", routes: routes.slice(from, from + LOAD_LIMITS.routes) };
  }
  yield* textMessages({ policyFiles, shadowFiles, tests: tests?.files });
  yield {
    kind: "done",
    ...others,
    config: rest,
    words,
    policyFiles: policyFiles.map(withoutText),
    shadowFiles: shadowFiles?.map(withoutText),
    tests: tests && { ...tests, files: tests.files.map(withoutText) },
  };
}

/** Small files go together, large ones in parts. */
function* textMessages(
  all: Readonly<Record<TextList, readonly PolicyFile[] | undefined>>,
): Generator<LoadMessage> {
  let texts: TextPiece[] = [];
  let left: number = LOAD_LIMITS.chars;
  for (const list of ["policyFiles", "shadowFiles", "tests"] as const) {
    for (const [index, { text }] of (all[list] ?? []).entries()) {
      for (let from = 0; from < text.length;) {
        const piece = text.slice(from, from + left);
        texts.push({ list, index, text: piece });
        from += piece.length;
        left -= piece.length;
        if (left > 0) continue;
        yield { kind: "texts", texts };
        texts = [];
        left = LOAD_LIMITS.chars;
      }
    }
  }
  if (texts.length > 0) yield { kind: "texts", texts };
}

function withoutText({ name }: PolicyFile): PolicyFile {
  return { name, text: "" };
}
