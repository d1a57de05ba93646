/**
 * Finds the admin API of the running Sallyport: the socket that the configuration names, or the
 * address that the operator says, with a token from a file.
 *
 * Of the configuration only `admin.socket` is read: who has just broken the rest of it has all the
 * more reason to ask what is running.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expand } from "../config/expand.ts";
import { parseYaml } from "../wire/document/yaml.ts";
import { type AdminClient, createAdminClient } from "./admin-client.ts";
import { AdminCallError, type AdminPlace, createAdminTransport } from "./admin-transport.ts";

export interface ConnectOptions {
  /** The configuration. */
  readonly config: string;
  /** `https://host:port`, `http://127.0.0.1:port`, or the path of a socket. */
  readonly admin?: string | undefined;
  /** File with a bearer token. */
  readonly tokenFile?: string | undefined;
  /** PEM file with the authorities of that server. */
  readonly ca?: string | undefined;
}

/** Throws AdminCallError where there is no such place. */
export function connectAdmin(options: ConnectOptions): AdminClient {
  return createAdminClient(createAdminTransport(placeOf(options)));
}

function placeOf({ config, admin, tokenFile, ca }: ConnectOptions): AdminPlace {
  if (admin === undefined || !/^https?:\/\//.test(admin)) {
    if (tokenFile !== undefined || ca !== undefined) {
      throw new AdminCallError("--token-file and --ca go with --admin https://host:port");
    }
    return { socket: admin === undefined ? socketOf(config) : resolve(admin) };
  }
  const url = URL.parse(admin);
  if (url === null) throw new AdminCallError(`${admin} is no URL`);
  if (url.username !== "" || url.password !== "" || url.pathname !== "/" || url.search !== "") {
    throw new AdminCallError("--admin is only scheme, host and port");
  }
  if (tokenFile === undefined) {
    throw new AdminCallError(`${url.origin} asks for a token: --token-file FILE`);
  }
  const token = read(tokenFile).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) throw new AdminCallError(`${tokenFile} holds no token`);
  return { url, token, ca: ca === undefined ? undefined : read(ca) };
}

function socketOf(config: string): string {
  const document = parseYaml(read(config, ": name another with -c, or the process with --admin"));
  if (document.problems.length > 0) {
    throw new AdminCallError(`${config} is no YAML: say where the socket is, --admin PATH`);
  }
  const admin = (document.value as { readonly admin?: { readonly socket?: unknown } } | null)
    ?.admin;
  const folder = dirname(resolve(config));
  const { value, problems } = expand(admin?.socket, {
    env: process.env,
    readFile: (name) => readFileSync(resolve(folder, name), "utf8"),
  });
  if (typeof value === "string" && value !== "" && problems.length === 0) {
    return resolve(folder, value);
  }
  throw new AdminCallError(
    `${config} has no admin.socket: write one, or name another place with --admin`,
  );
}

function read(file: string, remedy = ""): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    throw new AdminCallError(`${file} cannot be read (${code})${remedy}`, undefined, { cause });
  }
}
