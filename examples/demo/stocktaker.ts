/**
 * The whole way of a key, as the stocktaker goes it: a service without a secret is registered, its sidecar gets a
 * key, calls, gets the next one before that expires, and has none any more once access is taken away.
 */
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Case } from "./cases.ts";
import { parseAnswer, send, type Answer } from "./raw-client.ts";
import { sallyport, type World } from "./world.ts";

/** What a caller has to say to a sidecar on a TCP port, so that no page in a browser can. */
const MARK = "sallyport-egress: 1";
export const STREAM = "/orders/events";

const LIMITS = {
  /** Milliseconds: twice as long as a key lives here. */
  renewal: 20_000,
  /** Milliseconds until a stream that is to end has ended. */
  end: 5000,
  poll: 250,
} as const;

export interface Step extends Case {
  /** For a shell. */
  readonly command: string;
}

export interface Outcome {
  readonly one: Step;
  readonly answer: Answer;
  /** What was wrong beside the answer. */
  readonly faults: readonly string[];
}

/** What there is to try, in this order. */
export function steps({ sidecar }: Pick<World, "sidecar">): readonly Step[] {
  const call = (target: string, flags = "-s"): string =>
    `curl ${flags} -H '${MARK}' http://${sidecar}${target}`;
  const permitted = { status: 200, reason: "permitted" };
  const arrives = (path: string) => ({ service: "orders", path }) as const;
  const list = "/orders/list";
  return [
    {
      title: "the stocktaker, without a secret, asks its sidecar, which gets a key",
      target: list,
      ...permitted,
      reaches: arrives("/list"),
      command: call(list),
    },
    {
      title: "seconds later the sidecar has the next key",
      target: list,
      ...permitted,
      reaches: arrives("/list"),
      command: call(list),
    },
    {
      title: "it follows the orders, and access is taken away: the open stream ends",
      target: STREAM,
      ...permitted,
      reaches: arrives(STREAM),
      command: `${call(STREAM, "-sN")} & sleep 1; ${[sallyport, ...TAKE_AWAY].join(" ")}; wait`,
    },
    {
      title: "the next call is denied",
      target: list,
      status: 403,
      reason: "key-refused",
      command: call(list),
    },
  ];
}

/** Does all of it by itself. */
export async function followSteps(world: World): Promise<readonly Outcome[]> {
  const [first, second, stream, denied] = steps(world) as [Step, Step, Step, Step];
  return [
    { one: first, answer: await ask(world, first), faults: [] },
    await untilRenewed(world, second),
    await streamThatEnds(world, stream),
    { one: denied, answer: await ask(world, denied), faults: [] },
  ];
}

function ask({ sidecar }: World, one: Step): Promise<Answer> {
  return send({ address: sidecar }, one, [MARK]);
}

/** Asks until the gate has let in a second key of the sidecar's. */
async function untilRenewed(world: World, one: Step): Promise<Outcome> {
  const deadline = Date.now() + LIMITS.renewal;
  for (;;) {
    const answer = await ask(world, one);
    if (world.keysSeen().length > 1) return { one, answer, faults: [] };
    if (Date.now() > deadline) return { one, answer, faults: ["no further key was used"] };
    await new Promise((resolve) => {
      setTimeout(resolve, LIMITS.poll);
    });
  }
}

/** Opens the stream, takes access away as a person would, and waits for the stream's end. */
async function streamThatEnds(world: World, one: Step): Promise<Outcome> {
  const [host = "", port = ""] = world.sidecar.split(":");
  const socket = connect({ host, port: Number(port) });
  let text = "";
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (text.includes("data:") || text.includes("problem+json")) begun.resolve();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    begun.resolve();
    ended.resolve();
  });
  socket.write(`GET ${one.target} HTTP/1.1\r\nHost: ${world.sidecar}\r\n${MARK}\r\n\r\n`);
  await begun.promise;
  const open = !socket.closed;
  await takeAway(world);
  const faults = open ? [] : ["the stream had ended before access was taken away"];
  if (!(await within(LIMITS.end, ended.promise))) faults.push("the stream went on");
  socket.destroy();
  return { one, answer: parseAnswer(text), faults };
}

/** Whatever the stocktaker has, and whatever it may yet get, is good for nothing. */
const TAKE_AWAY = ["keys", "block", "-c", "sallyport.yaml", "--subject", "stocktaker"] as const;

export const GIVE_BACK = `${sallyport} revocations lift -c sallyport.yaml ID`;

/** The same by the admin API, since the key is good for seconds and a busy machine starts programs slowly. */
function takeAway({ folder }: World): Promise<void> {
  const target = { kind: "subject", authenticator: "keys", subject: "stocktaker" };
  const body = JSON.stringify({ target, mode: "block" });
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: join(folder, "run", "admin.sock"),
        path: "/v1/revocations",
        method: "POST",
        headers: { host: "localhost", "content-type": "application/json" },
      },
      (answer) => {
        answer.resume();
        if (answer.statusCode === 201) answer.once("end", resolve);
        else reject(new Error(`the admin API answered ${answer.statusCode ?? "nothing"}`));
      },
    );
    call.once("error", reject);
    call.end(body);
  });
}

async function within(ms: number, what: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = await Promise.race([what.then(() => true as const), late]);
  clearTimeout(timer);
  return done;
}
