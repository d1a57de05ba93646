/** Services for the examples: they answer with what reached them, so that a try can look at it. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Ground } from "./example.ts";

/** What the service saw of a request. */
export interface Seen {
  /** Name that the service was given. */
  readonly service: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A service on the port that stands in for `written`. It answers 200 with `Seen` as JSON unless `answer` does. */
export async function startService(
  ground: Ground,
  written: number,
  name: string,
  answer: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): Promise<void> {
  const server = createServer((request, response) => {
    if (!answer(request, response)) answerSeen(name, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(ground.port(written), "127.0.0.1", resolve);
  });
  ground.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
}

function answerSeen(service: string, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { method = "", url: target = "", headers } = request;
    const body = Buffer.concat(chunks).toString();
    const seen: Seen = { service, method, target, headers, body };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(seen));
  });
}
