import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs the command line on the runtime that runs this test. */
function sallyport(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "src/cli/main.ts"), ...args],
    { encoding: "utf8", cwd: root },
  );
  return { status, stdout, stderr };
}

function temporary(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cli-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("sallyport exits 0 when all is fine, 1 when the answer is no, 2 when it could not run", (context) => {
  const dir = join(temporary(context), "gate");
  const config = join(dir, "sallyport.yaml");
  assert.equal(sallyport("init", "--dir", dir).status, 0);
  const fine = sallyport("check", "-c", config);
  assert.equal(fine.status, 0, fine.stdout + fine.stderr);
  assert.match(fine.stdout, /: fine \(/);

  const broken = sallyport("check", "--config", "test/config/broken-references.yaml");
  assert.equal(broken.status, 1);
  assert.match(broken.stdout, /broken-references\.yaml:14:40 {2}there is no service "biling"/);
  assert.equal(broken.stderr, "");

  const absent = sallyport("check", "-c", join(dir, "gone.yaml"));
  assert.equal(absent.status, 2);
  assert.match(absent.stderr, /cannot be read \(ENOENT\)/);
  assert.doesNotMatch(absent.stderr, /\n {4}at /, "a stack trace is not for users");
});

test("sallyport exits 2 on what it does not know, and says what is near", () => {
  const command = sallyport("chek");
  assert.equal(command.status, 2);
  assert.match(command.stderr, /Did you mean check/);
  const option = sallyport("check", "--conf", "x");
  assert.equal(option.status, 2);
  assert.match(option.stderr, /unknown option '--conf'/);
  assert.equal(sallyport().status, 2);
});

test("sallyport takes an id that begins with a dash, before and after options", () => {
  const id = "-PQNcvz28qVhmFe6ZqQOpA";
  const key = `-c${"x".repeat(41)}`;
  for (const args of [
    ["revocations", "lift", id],
    ["revocations", "lift", "--mode", "block", id],
    ["clients", "remove-key", "billing-job", key, "--json"],
  ]) {
    // That nobody listens there is found out once all arguments are read.
    const { status, stderr } = sallyport(...args, "--admin", "/nonexistent/admin.sock");
    assert.equal(status, 2);
    assert.doesNotMatch(stderr, /unknown option|missing|too many/, args.join(" "));
    assert.match(stderr, /\/nonexistent\/admin\.sock/, args.join(" "));
  }
});

test("sallyport goes on when whoever read its output goes away", async (context) => {
  const dir = join(temporary(context), "gate");
  sallyport("init", "--dir", dir);
  const config = join(dir, "sallyport.yaml");
  const args = [join(root, "src/cli/main.ts"), "policy", "schema", "-c", config];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

test("sallyport prints its version and its help", () => {
  assert.match(sallyport("--version").stdout, /^\d+\.\d+\.\d+\n$/);
  const help = sallyport("--help");
  assert.equal(help.status, 0);
  for (const command of ["run", "check", "init", "demo", "policy"]) {
    assert.match(help.stdout, new RegExp(`^ {2}${command}\\b`, "m"));
  }
});

test("sallyport policy schema prints the Cedar schema of a configuration", (context) => {
  const dir = join(temporary(context), "gate");
  sallyport("init", "--dir", dir);
  const { status, stdout } = sallyport("policy", "schema", "-c", join(dir, "sallyport.yaml"));
  assert.equal(status, 0);
  assert.match(stdout, /^namespace Sallyport \{/);
});
