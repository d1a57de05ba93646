/** A reporter of node:test that writes the file of each test that failed, one a line, for run-tests.ts. */
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

// oxlint-disable-next-line import/no-default-export -- node:test takes a file's default export
export default async function* failedFiles(
  source: AsyncIterable<TestEvent>,
): AsyncGenerator<string> {
  const told = new Set<string>();
  for await (const event of source) {
    if (event.type !== "test:fail") continue;
    const { file } = event.data;
    if (file === undefined || told.has(file)) continue;
    told.add(file);
    yield `${relative(process.cwd(), file)}\n`;
  }
}
