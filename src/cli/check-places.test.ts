/** `check` says of the folder of the audit log what a start would say, beside one that runs, and touches nothing. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../test/audit-kit.ts";
import { openKeptLog, verified } from "../../test/kept-log.ts";
import { auditSchema, type AuditInput } from "../audit/audit-options.ts";
import { openUsage, usageFile } from "../limits/usage/usage-database.ts";
import { usageSchema } from "../limits/usage/usage-options.ts";
import { SallyportError } from "../model/errors.ts";
import { checkPlaces, type PlaceFindings } from "./check-places.ts";

const EVENT = { timeMs: Date.UTC(2026, 10, 24), event: "torn-record", detail: "one" } as const;

/** A log with a checkpoint, as a process left it. */
async function sealedFolder(context: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(context), "audit");
  const log = await openKeptLog(folder, {});
  log.audit.event(EVENT);
  await log.close();
  assert.ok((await verified(folder)).records > 0);
  return folder;
}

async function checked(
  folder: string,
  audit: Partial<AuditInput> = {},
  usage?: object,
): Promise<PlaceFindings> {
  return await checkPlaces("sallyport.yaml", {
    audit: auditSchema.parse({ path: folder, ...audit }),
    usage: usage && usageSchema.parse(usage),
  });
}

function messagesOf({ problems, leftOut }: PlaceFindings): readonly string[] {
  assert.equal(leftOut, undefined);
  return problems.map(({ message }) => message);
}

/** Whatever would show that somebody was there. */
function traces(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const { mode, size, mtimeNs, ino } = lstatSync(join(folder, name), { bigint: true });
      return `${name} ${mode} ${size} ${mtimeNs} ${ino}`;
    });
}

function newKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
}

/** What is done to a folder, and what checkpoints the configuration then asks for. */
const REFUSED: Readonly<Record<string, (folder: string) => AuditInput["checkpoints"] | undefined>> =
  {
    "others can enter it": (folder) => {
      chmodSync(folder, 0o755);
    },
    "others can read the key of the values": (folder) => {
      chmodSync(join(folder, "values.key"), 0o644);
    },
    "the key of the values is cut": (folder) => {
      writeFileSync(join(folder, "values.key"), "x");
    },
    "others can enter the tree": (folder) => {
      chmodSync(join(folder, "tree"), 0o750);
    },
    "others can read the key of the checkpoints": (folder) => {
      chmodSync(join(folder, "tree/checkpoint.key"), 0o640);
    },
    "the key of the checkpoints is gone": (folder) => {
      rmSync(join(folder, "tree/checkpoint.key"));
    },
    "the key of the checkpoints is none": (folder) => {
      writeFileSync(join(folder, "tree/checkpoint.key"), "x");
    },
    "it is another key": (folder) => {
      const key = join(folder, "..", "other.pem");
      writeFileSync(key, newKey(), { mode: 0o600 });
      return { key };
    },
    "the key that is named is not there": (folder) => ({ key: join(folder, "..", "none.pem") }),
    "it is another log": () => ({ origin: "audit.example.com/other" }),
    "the history of the keys is gone": (folder) => {
      rmSync(join(folder, "tree/keys.jsonl"));
    },
    "a line of the checkpoints is none": (folder) => {
      appendFileSync(join(folder, "tree/checkpoints.jsonl"), "{}\n");
    },
    "the last checkpoint is signed by somebody else": (folder) => {
      const path = join(folder, "tree/checkpoints.jsonl");
      const text = readFileSync(path, "utf8");
      // One character of the signature, after the four bytes that name the key.
      const at = text.lastIndexOf("\\u2014") === -1 ? text.lastIndexOf("— ") : 0;
      const from = text.indexOf(" ", at + 2) + 40;
      const other = text[from] === "A" ? "B" : "A";
      writeFileSync(path, text.slice(0, from) + other + text.slice(from + 1));
    },
    "hashes were changed": (folder) => {
      const path = join(folder, "tree/hashes-0");
      const bytes = readFileSync(path);
      bytes[0] = 255 - (bytes[0] ?? 0);
      writeFileSync(path, bytes);
    },
    "a record that was sealed is another one": (folder) => {
      const [segment = ""] = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
      const path = join(folder, segment);
      writeFileSync(path, readFileSync(path, "utf8").replace('"detail":"one"', '"detail":"two"'));
    },
    "hashes are cut": (folder) => {
      writeFileSync(join(folder, "tree/hashes-0"), "");
    },
  };

for (const [name, damage] of Object.entries(REFUSED)) {
  test(`checkPlaces() says what the start says when ${name}`, async (context) => {
    const folder = await sealedFolder(context);
    const checkpoints = damage(folder) ?? {};
    const before = traces(folder);
    const messages = messagesOf(await checked(folder, { checkpoints }));
    assert.deepEqual(traces(folder), before);
    const refusal: unknown = await openKeptLog(folder, {
      checkpoints: { every: "100ms", ...checkpoints },
    }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(refusal instanceof SallyportError, "the start takes it");
    assert.deepEqual(messages, [refusal.message]);
  });
}

test("checkPlaces() finds nothing wrong beside a process that has the log, and touches nothing", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  const first = await openKeptLog(folder, {});
  first.audit.event(EVENT);
  await first.close();
  // Nothing more is recorded: what changes from here on is not by that one.
  const log = await openKeptLog(folder, { checkpoints: { every: "1h" } });
  openUsage(usageFile({}, folder)).close();
  const before = traces(folder);
  assert.deepEqual(messagesOf(await checked(folder, {}, {})), []);
  assert.deepEqual(traces(folder), before);
  assert.equal(log.keeping.state, "running");
  await log.close();
});

test("checkPlaces() leaves a torn checkpoint to the start, and takes it as the start does", async (context) => {
  const folder = await sealedFolder(context);
  appendFileSync(join(folder, "tree/checkpoints.jsonl"), '{"ended":[');
  const before = traces(folder);
  assert.deepEqual(messagesOf(await checked(folder)), []);
  assert.deepEqual(traces(folder), before);
});

test("checkPlaces() takes a key that is configured beside the one before it", async (context) => {
  const folder = await sealedFolder(context);
  const key = join(folder, "..", "next.pem");
  writeFileSync(key, newKey(), { mode: 0o600 });
  const previousKey = join(folder, "tree/checkpoint.key");
  assert.deepEqual(messagesOf(await checked(folder, { checkpoints: { key, previousKey } })), []);
});

test("checkPlaces() takes a folder that is not there yet, and refuses one that cannot be made", async (context) => {
  const place = await temporaryFolder(context);
  assert.deepEqual(messagesOf(await checked(join(place, "data", "audit"), {}, {})), []);
  assert.deepEqual(readdirSync(place), []);
  writeFileSync(join(place, "file"), "");
  const [message, ...others] = messagesOf(await checked(join(place, "file", "audit")));
  assert.match(message ?? "", /file\/audit cannot be (made|opened).*\(ENOTDIR\)/);
  assert.deepEqual(others, []);
});

test(
  "sallyport check leaves out what only another user can look at, and says so",
  { skip: process.getuid?.() !== 0 && "only root can be another user" },
  async (context) => {
    const folder = await sealedFolder(context);
    const home = join(folder, "..");
    chmodSync(home, 0o755);
    writeFileSync(join(home, "all.cedar"), '@id("a") forbid (principal, action, resource);');
    writeFileSync(
      join(home, "sallyport.yaml"),
      `version: 1
listeners: [{ name: edge, address: "127.0.0.1:8080" }]
services: { shop: { endpoints: ["http://127.0.0.1:9001"] } }
routes: [{ name: shop, path: /shop, service: shop, authenticate: [anonymous] }]
policies: { enforce: [all.cedar] }
audit: { path: audit }
`,
    );
    const main = fileURLToPath(new URL("main.ts", import.meta.url));
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [main, "check", "--fail-on", "error"],
      { uid: 65_534, gid: 65_534, cwd: home, encoding: "utf8" },
    );
    assert.equal(status, 0, stdout + stderr);
    assert.match(
      stdout,
      /not looked at: what this user may not: .*values\.key cannot be read; check as the user that runs it$/m,
    );
  },
);

test("checkPlaces() refuses a book of usage that the start would refuse", async (context) => {
  const folder = await sealedFolder(context);
  const path = join(await temporaryFolder(context), "book");
  mkdirSync(path, { mode: 0o700 });
  const book = join(path, "usage.db");
  const says = async (): Promise<string> => messagesOf(await checked(folder, {}, { path })).join();
  const starts = (): string => {
    try {
      openUsage(book).close();
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  assert.equal(await says(), "");
  assert.equal(starts(), "");
  assert.equal(await says(), "");
  chmodSync(book, 0o644);
  assert.match(await says(), /chmod it to 0600/);
  assert.equal(await says(), starts());
  chmodSync(book, 0o600);
  chmodSync(path, 0o755);
  assert.match(await says(), /chmod it to 0700/);
  assert.equal(await says(), starts());
  chmodSync(path, 0o700);
  const bytes = readFileSync(book);
  bytes.writeUInt32BE(77, 60);
  writeFileSync(book, bytes);
  assert.match(await says(), /tables of version 77/);
  assert.equal(await says(), starts());
  writeFileSync(
    book,
    "a text that somebody put there, longer than the head of a database is: ".repeat(3),
  );
  assert.match(await says(), /is no database: name another file; sallyport usage rebuild/);
  assert.equal(await says(), starts());
});
