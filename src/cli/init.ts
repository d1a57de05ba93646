/**
 * `sallyport init`: writes a configuration, starter policies and a README that explains them. It
 * never overwrites a file, and writes nothing at all if it cannot write everything.
 */
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../model/errors.ts";
import { nameSchema } from "../model/options.ts";
import { openApiTitle, readOpenApi } from "./starter/openapi.ts";
import {
  STARTER_KEY,
  type StarterPlan,
  type StarterRoute,
  type StarterService,
  starterName,
} from "./starter/plan.ts";
import { writeConfig } from "./starter/write-config.ts";
import { writePolicies } from "./starter/write-policies.ts";
import { writeReadme } from "./starter/write-readme.ts";
import { writeData, writeTests } from "./starter/write-tests.ts";

export interface InitOptions {
  /** Folder to write into; made if it is not there. */
  readonly dir: string;
  /** `name=url` each. */
  readonly service: readonly string[];
  readonly issuer: string;
  /** Key set as `authenticators.*.jwks` takes it; undefined: by discovery. */
  readonly jwks?: string;
  readonly audience: string;
  /** OpenAPI files. */
  readonly fromOpenapi: readonly string[];
  /** Whether it is to keep state: then with a store and a key-encryption key, made here. */
  readonly authority?: boolean;
}

/** Writes, and prints what it wrote. Resolves to the exit code; throws ConfigError. */
export async function init(options: InitOptions): Promise<number> {
  const { files, notes } = await writeStarter(options);
  for (const file of files) console.log(`wrote ${file}`);
  for (const note of notes) console.log(`note: ${note}`);
  console.log(
    `next: read ${join(options.dir, "README.md")}, then run sallyport check in that folder`,
  );
  return 0;
}

/** Paths of the files that were written, and what could not be taken over. Throws ConfigError. */
export async function writeStarter(
  options: InitOptions,
): Promise<{ readonly files: readonly string[]; readonly notes: readonly string[] }> {
  const plan = await planStarter(options);
  const described = plan.services.filter((service) => service.described !== undefined);
  const files: [path: string, text: string, mode?: number][] = [
    ["sallyport.yaml", writeConfig(plan)],
    ...plan.services.map((service): [string, string] => [
      join("policies", `${service.name}.cedar`),
      writePolicies(service),
    ]),
    ...described.flatMap((service): [string, string][] => {
      const openapi = service.described?.openapi;
      return [
        ...(openapi === undefined ? [] : [[openapi.path, openapi.text] as [string, string]]),
        [join("tests", `${service.name}.yaml`), writeTests(service)],
      ];
    }),
    ...(described.length === 0
      ? []
      : [["data/teams.yaml", writeData(described)] as [string, string]]),
    ["README.md", writeReadme(plan)],
  ];
  // As key-source.ts reads it; nobody else may.
  if (plan.authority) {
    files.push([STARTER_KEY, `${randomBytes(32).toString("base64url")}\n`, 0o600]);
  }
  const paths = files.map(([path]) => join(options.dir, path));
  const present = await Promise.all(paths.map(exists));
  const problems = paths
    .filter((_, index) => present[index] === true)
    .map((file) => ({ file, message: "is there already", remedy: "another --dir" }));
  if (problems.length > 0) throw new ConfigError(problems);
  for (const folder of new Set(files.map(([path]) => dirname(path)))) {
    if (folder !== dirname(STARTER_KEY))
      await mkdir(join(options.dir, folder), { recursive: true });
  }
  if (plan.authority) {
    await mkdir(join(options.dir, dirname(STARTER_KEY)), { recursive: true, mode: 0o700 });
  }
  for (const [index, [, text, mode]] of files.entries()) {
    // `wx`: a file that appeared since then is not overwritten either.
    await writeFile(paths[index] ?? "", text, {
      flag: "wx",
      ...(mode === undefined ? {} : { mode }),
    });
  }
  return { files: paths, notes: plan.notes };
}

async function planStarter(options: InitOptions): Promise<StarterPlan> {
  const endpoints = readServices(options.service);
  const taken = new Set<string>();
  const services: StarterService[] = [];
  const notes: string[] = [];
  const described = new Set<string>();
  for (const file of options.fromOpenapi) {
    const text = await readText(file);
    const title = starterName(openApiTitle(text, basename(file)), described);
    // One file and one service: they belong together, whatever the file calls itself.
    const only = options.fromOpenapi.length === 1 && endpoints.size === 1;
    const name = only ? ([...endpoints.keys()][0] ?? title) : title;
    described.add(name);
    const api = readOpenApi(text, { file: basename(file), service: name, taken });
    notes.push(...api.notes);
    const endpoint = endpoints.get(name) ?? plainOrigin(api.origin);
    if (endpoint === undefined) {
      notes.push(
        `${basename(file)}: its server is not a plain http origin; set endpoints of ${name}`,
      );
    }
    const path = `openapi/${name}${file.endsWith(".json") ? ".json" : ".yaml"}`;
    services.push({
      name,
      endpoint: endpoint ?? "http://127.0.0.1:9001",
      routes: api.routes,
      described: { openapi: api.actions ? { path, text } : undefined },
    });
  }
  for (const [name, endpoint] of endpoints) {
    if (!described.has(name)) services.push({ name, endpoint, routes: [wholeRoute(name, taken)] });
  }
  if (services.length === 0) {
    const endpoint = "http://127.0.0.1:9001";
    services.push({ name: "hello", endpoint, routes: [wholeRoute("hello", taken)] });
  }
  refuseSharedPaths(services);
  const { issuer, jwks, audience, authority = false } = options;
  return { issuer, jwks, audience, services, authority, notes };
}

function readServices(written: readonly string[]): Map<string, string> {
  const endpoints = new Map<string, string>();
  for (const text of written) {
    const [name = "", ...rest] = text.split("=");
    const endpoint = plainOrigin(rest.join("="));
    if (!nameSchema.safeParse(name).success || endpoint === undefined || endpoints.has(name)) {
      const message = endpoints.has(name) ? `"${name}" stands twice` : `"${text}" is not a service`;
      throw new ConfigError([
        {
          file: "--service",
          message,
          remedy: "name=http://host:port, or name=h2c://host:port for HTTP/2",
        },
      ]);
    }
    endpoints.set(name, endpoint);
  }
  return endpoints;
}

/** `http://host:port` or `h2c://host:port` without a path, or undefined. */
function plainOrigin(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const bare =
    /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "" && url.username === "";
  const plain = url.protocol === "http:" || url.protocol === "h2c:";
  return plain && bare && url.host !== "" ? `${url.protocol}//${url.host}` : undefined;
}

/** `/name/*`, forwarded without the name. */
function wholeRoute(name: string, taken: Set<string>): StarterRoute {
  const route = starterName(name, taken);
  taken.add(route);
  return { name: route, path: `/${name}/*`, methods: undefined, cutPrefix: true, operations: [] };
}

/** Two files that describe one path would make two routes that could both win. */
function refuseSharedPaths(services: readonly StarterService[]): void {
  const owners = new Map<string, string>();
  for (const service of services) {
    for (const route of service.routes) {
      const shape = route.path.replaceAll(/\{[^/]*\}/g, "{}");
      const owner = owners.get(shape);
      if (owner !== undefined) {
        const message = `both ${owner} and ${service.name} describe ${route.path}`;
        const remedy = "one of them, or give each a host in sallyport.yaml";
        throw new ConfigError([{ file: "--from-openapi", message, remedy }]);
      }
      owners.set(shape, service.name);
    }
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new ConfigError([{ file, message: `cannot be read (${code})` }], { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
