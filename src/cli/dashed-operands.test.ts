import assert from "node:assert/strict";
import { test } from "node:test";
import { type DescribedCommand, withDashedOperands } from "./dashed-operands.ts";

const ID = "-PQNcvz28qVhmFe6ZqQOpA";
const KEY = `-c${"x".repeat(41)}`;

function command(name: string, commands: readonly DescribedCommand[] = []): DescribedCommand {
  const options = [
    { required: true, short: "-c", long: "--config" },
    { required: true, long: "--reason" },
    { required: false, long: "--json" },
    { required: false, long: "--a-flag-of-22-letters" },
  ];
  return { name: () => name, commands, options };
}

const program = command("sallyport", [
  command("revocations", [command("lift"), command("list")]),
  command("clients", [command("remove-key"), command("create")]),
  command(
    "api-keys",
    ["show", "rotate", "revoke", "remove"].map((name) => command(name)),
  ),
]);

function said(text: string): string {
  return withDashedOperands(text.split(" "), program).join(" ");
}

test("withDashedOperands() puts ids that begin with a dash behind the options, in their order", () => {
  for (const [text, expected] of [
    [`revocations lift ${ID}`, `revocations lift -- ${ID}`],
    [`revocations lift ${ID} -c x.yaml`, `revocations lift -c x.yaml -- ${ID}`],
    [`revocations lift --json ${ID}`, `revocations lift --json -- ${ID}`],
    [`clients remove-key job ${KEY} --json`, `clients remove-key --json -- job ${KEY}`],
    [`clients remove-key --config=x job ${ID}`, `clients remove-key --config=x -- job ${ID}`],
    [`clients remove-key ${ID} -- ${KEY}`, `clients remove-key -- ${ID} ${KEY}`],
    [`revocations lift --reason ${KEY} ${ID}`, `revocations lift --reason ${KEY} -- ${ID}`],
  ]) {
    assert.equal(said(text as string), expected);
  }
});

test("withDashedOperands() leaves everything else as it is", () => {
  for (const text of [
    `revocations lift -${ID}`,
    "revocations lift abc -c x.yaml",
    "revocations lift --jsn",
    `revocations lift -- ${ID}`,
    `revocations list ${ID}`,
    `clients create ${ID}`,
    `revocations lift --reason ${ID}`,
    "revocations lift --a-flag-of-22-letters",
    "revocations lift abc --reason",
    `api-keys show ${ID}`,
    "run",
  ]) {
    assert.equal(said(text), text);
  }
});
