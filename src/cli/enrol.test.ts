import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  FixtureAuthority,
  FixtureServer,
  invitation,
  TemporaryFolder,
} from "../../test/authority/enrolment-ground.ts";
import { readJoinToken } from "../authority/enrolment/enrolment-token.ts";
import { enrol, type EnrolOptions } from "./enrol.ts";
import { renew } from "./enrol-renew.ts";

const run = promisify(execFile);
const MAIN = new URL("main.ts", import.meta.url).pathname;
const FAILED = { code: "enrolment-failed" };

test("enrol() takes the token from a file, from standard input or as it is", async () => {
  await using ground = await start();
  const { authority, folder } = ground;
  const give: Record<string, (token: string) => Promise<Partial<EnrolOptions>>> = {
    file: async (token) => {
      await writeFile(folder.at("token"), `${token}\n`, { mode: 0o600 });
      return { tokenFile: folder.at("token") };
    },
    stdin: async (token) => {
      ground.stdin = Readable.from([token.slice(0, 40), `${token.slice(40)}\nmore`]);
      return { token: "-" };
    },
    argument: async (token) => ({ token }),
  };
  for (const [name, given] of Object.entries(give)) {
    const { token } = invitation(
      await authority.register.enrol(name, { kind: "workload", method: "mtls", by: "ops" }),
    );
    const identity = folder.at(name);
    assert.equal(await ground.enrol({ identity, ...(await given(token)) }), 0);
    assert.equal((await authority.register.get(name))?.state, "enrolled");
    assert.match(ground.told.join("\n"), new RegExp(`enrolled  ${name}  workload  until 20`));
    assert.match(ground.told.join("\n"), /sallyport renew --follow/);
  }
});

test("enrol() of a proxy takes folder and addresses from its configuration", async () => {
  await using ground = await start();
  const { authority, folder, server } = ground;
  const config = folder.at("sallyport.yaml");
  await writeFile(
    config,
    `version: 1\nlisteners: [{ name: edge, address: "127.0.0.1:0" }]\naudit: { path: audit }\nauthority: { feed: [${server.url}], identity: data/identity }\n`,
  );
  const { token } = await authority.invite("edge-1");
  assert.equal(await ground.enrol({ config, authority: [], token }), 0);
  const path = folder.at("data/identity/current/identity.json");
  assert.equal(JSON.parse(await readFile(path, "utf8")).name, "edge-1");
  assert.match(ground.told.join("\n"), /`sallyport run` renews it/);
  const workload = invitation(
    await authority.register.enrol("billing", { kind: "workload", method: "mtls", by: "ops" }),
  );
  await assert.rejects(ground.enrol({ config, authority: [], token: workload.token }), {
    ...FAILED,
    message: /--kind proxy/,
  });
  assert.equal((await authority.register.get("billing"))?.state, "invited");
});

test("enrol() says what is missing", async () => {
  await using ground = await start();
  const { folder } = ground;
  const identity = folder.at("identity");
  const { token } = await ground.authority.invite("edge-1");
  const says = async (given: Partial<EnrolOptions>, message: RegExp): Promise<void> => {
    await assert.rejects(ground.enrol({ identity, ...given }), { ...FAILED, message });
  };
  await says({ token, tokenFile: "token" }, /not both/);
  await says({ tokenFile: folder.at("nothing") }, /ENOENT/);
  ground.stdin = Readable.from([]);
  await says({ token: "-" }, /no join token on standard input/);
  ground.stdin = Readable.from(["x".repeat(10_000), "y".repeat(10_000)]);
  await says({ token: "-" }, /does not begin with/);
  const config = folder.at("other.yaml");
  await writeFile(config, "version: 1\n");
  await assert.rejects(ground.enrol({ config, token }), {
    code: "config-invalid",
    message: /--identity FOLDER/,
  });
});

test("renew() renews once, whatever the age", async () => {
  await using ground = await start();
  const { authority, folder, server } = ground;
  const identity = folder.at("identity");
  await ground.enrol({ identity, token: (await authority.invite("edge-1")).token });
  const before = (await authority.register.get("edge-1"))?.key?.thumbprint;
  const told: string[] = [];
  const deps = { print: (line: string) => void told.push(line), stopped: () => Promise.resolve() };
  assert.equal(await renew({ identity, follow: false, authority: [] }, deps), 0);
  assert.notEqual((await authority.register.get("edge-1"))?.key?.thumbprint, before);
  assert.match(told.join("\n"), /^identity  edge-1  until 20/);
  assert.ok(server.requests.some(({ line }) => line === "POST /renew"));
  await chmod(identity, 0o755);
  await assert.rejects(renew({ identity, follow: false, authority: [] }, deps), FAILED);
});

test("the command line enrols, renews and stays; a refusal is one line and exit code 2, without the token", async () => {
  await using ground = await start();
  const { authority, folder, server } = ground;
  const identity = folder.at("identity");
  const { token } = invitation(
    await authority.register.enrol("billing", { kind: "workload", method: "mtls", by: "ops" }),
  );
  await writeFile(folder.at("token"), token);
  const args = ["enrol", "--identity", identity, "--authority", server.url];
  const fromFile = [...args, "--token-file", folder.at("token")];
  const { stdout } = await run(process.execPath, [MAIN, ...fromFile]);
  assert.match(stdout, /^enrolled {2}billing {2}workload/);
  const again = await run(process.execPath, [MAIN, ...fromFile]).catch((error: unknown) => error);
  const { code, stderr } = again as { code: number; stderr: string };
  assert.equal(code, 2);
  const lines = stderr.split("\n").filter((line) => line.startsWith("sallyport:"));
  assert.equal(lines.length, 1);
  assert.match(stderr, /re-enrol billing.*it stays/);
  assert.ok(!stderr.includes(token) && !stderr.includes(readJoinToken(token).secret));
  const follow = spawn(process.execPath, [MAIN, "renew", "--follow", "--identity", identity], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(follow.stdout, "data")) as [Buffer];
  assert.match(line.toString(), /^identity {2}billing {2}until/);
  const ended = once(follow, "exit");
  follow.kill("SIGTERM");
  assert.deepEqual((await ended)[0], 0);
});

test("the command line, killed while the authority answers, enrols with the same token when it is run again", async () => {
  await using ground = await start();
  const { authority, folder, server } = ground;
  const identity = folder.at("identity");
  const { token } = await authority.invite("edge-1");
  await writeFile(folder.at("token"), token);
  const args = [MAIN, "enrol", "--identity", identity, "--authority", server.url];
  const fromFile = [...args, "--token-file", folder.at("token")];
  const killed = spawn(process.execPath, fromFile, { stdio: "ignore" });
  const dead = once(killed, "exit");
  server.cut = (line) => {
    // It is registered by now, and nobody hears of it.
    if (line === "POST /enrol") killed.kill("SIGKILL");
    return line === "POST /enrol";
  };
  assert.equal((await dead)[1], "SIGKILL");
  const registered = (await authority.register.get("edge-1"))?.key?.thumbprint;
  assert.ok(registered);
  server.cut = () => false;
  const { stdout } = await run(process.execPath, fromFile);
  assert.match(stdout, /^enrolled {2}edge-1/);
  assert.equal((await authority.register.get("edge-1"))?.key?.thumbprint, registered);
});

async function start() {
  const authority = new FixtureAuthority(undefined, Date.now());
  const server = await new FixtureServer(authority).start();
  const folder = await TemporaryFolder.make();
  const told: string[] = [];
  return {
    authority,
    server,
    folder,
    told,
    stdin: Readable.from([]),
    enrol(options: Partial<EnrolOptions>): Promise<number> {
      const tell = (line: string): void => void told.push(line);
      const deps = { stdin: this.stdin, print: tell, hint: tell };
      return enrol({ config: "sallyport.yaml", authority: [server.url], ...options }, deps);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
