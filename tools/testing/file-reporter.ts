/** A reporter of node:test that writes of each file whether it passed, one a line, for test-process.ts. */
import type { TestEvent } from "node:test/reporters";

// oxlint-disable-next-line import/no-default-export -- node:test takes a file's default export
export default async function* files(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    // The outermost are those of file-suites.ts, which bear the names of files.
    if (event.type === "test:pass" || event.type === "test:fail") {
      if (event.data.nesting === 0) yield `${event.type} ${event.data.name}\n`;
    }
  }
}
