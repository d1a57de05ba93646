/** WebSockets and endless responses: some are open at any time, and each ends after a while. */
import { get, type IncomingMessage } from "node:http";
import type { TestContext } from "node:test";
import { startEchoService, WebSocketClient } from "../../examples/websocket-service.ts";
import { startServer } from "../e2e/sidecar.ts";
import type { Part } from "./part.ts";

const LIMITS = {
  /** Of each kind, open at once. */
  open: 4,
} as const;

interface Open {
  close(): void;
}

export async function startOpenStreams(t: Pick<TestContext, "after">): Promise<Part> {
  const echo = await startEchoService();
  t.after(() => echo.close());
  const events = await startServer(t, (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": open\n\n");
  });
  const sockets: Open[] = [];
  const responses: Open[] = [];
  return {
    options: {
      services: `  chat: { endpoints: ["http://${echo.address}"] }
  news: { endpoints: ["${events.origin}"] }
`,
      routes: `  - { name: chat, path: "/chat/*", service: chat, authenticate: [anonymous], upgrades: [websocket] }
  - { name: news, path: "/news/*", service: news, authenticate: [anonymous], lifetime: none, concurrency: { requests: 100, by: route } }
`,
    },
    round({ stage }, round) {
      if (round % 20 === 0) return [take(sockets, WebSocketClient.open(stage.proxy, "/chat/x"))];
      return round % 30 === 0 ? [take(responses, listenTo(stage.proxy))] : [];
    },
    rest() {
      for (const open of [...sockets.splice(0), ...responses.splice(0)]) open.close();
    },
  };
}

async function take(open: Open[], opening: Promise<Open>): Promise<void> {
  open.push(await opening);
  if (open.length > LIMITS.open) open.shift()?.close();
}

async function listenTo(proxy: string): Promise<Open> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`http://${proxy}/news/x`, { headers: { host: "api.example" }, agent: false }, resolve).once(
      "error",
      reject,
    );
  });
  response.on("error", () => undefined).resume();
  return { close: () => void response.destroy() };
}
