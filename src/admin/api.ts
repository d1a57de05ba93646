/**
 * The operations as one function from a request to an answer, and the OpenAPI 3.1 document that says
 * the same. The one file that knows hono.
 *
 * It decides nothing about who may ask: it is given what the gate has permitted, and refuses to run
 * another operation than that, whatever its own routing would say.
 */
import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { Asker } from "../model/authzen.ts";
import type { JsonObject } from "../model/json.ts";
import { principalId } from "../model/principal.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { type ApiAnswer, JSON_TYPE, type PermittedCall, PROBLEM_TYPE } from "./call.ts";
import { etagOf, readIfMatch } from "./etag.ts";
import { answerOnce, idempotencyKeySchema } from "./idempotency.ts";
import type { Answer, Operation } from "./operation.ts";
import { ADMIN_PROBLEMS, AdminProblem, type Fault, problemOf, problemSchema } from "./problem.ts";

export interface AdminApi {
  /** Never rejects. */
  answer(call: PermittedCall): Promise<ApiAnswer>;
}

/** What goes along with a request through hono. */
interface Bindings {
  readonly call: PermittedCall;
}

/** Throws TypeError where two operations share a place or a name: a defect. */
export function createAdminApi(operations: readonly Operation[], deps: AdminDeps): AdminApi {
  const app = createApp(operations, (operation, input, call) =>
    run(operation, { input, call }, deps),
  );
  return {
    async answer(call) {
      const headers = new Headers(
        call.fields.map(([name, value]): [string, string] => [name, value]),
      );
      const request = new Request(`http://admin${call.target}`, {
        method: call.method,
        headers,
        // A GET cannot hold one there; `run` refuses what was sent with it.
        ...(call.body === undefined || call.method === "GET" ? {} : { body: call.body }),
      });
      let response: Response;
      try {
        response = await app.fetch(request, { call });
      } catch (error) {
        response = failed(error, call, deps);
      }
      return {
        status: response.status,
        fields: [...response.headers],
        body: await response.text(),
      };
    },
  };
}

/** The document of these operations, as it is served and checked in. */
export function openApiDocument(operations: readonly Operation[]): JsonObject {
  const app = createApp(operations, () => {
    throw new TypeError("only the document is asked for");
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Sallyport admin API",
      version: "1",
      description:
        "State and changes of a Sallyport process. Each operation is a decision of the gate on the action of its name, as docs/admin-api.md says.",
      license: { name: "Apache-2.0" },
    },
    security: [{ bearer: [] }, {}],
    tags: [...new Set(operations.map(({ spec }) => spec.tag))].map((name) => ({ name })),
  });
  const components = {
    ...document.components,
    securitySchemes: {
      bearer: {
        type: "http",
        scheme: "bearer",
        description:
          "A token of one of the authenticators that `admin.authenticate` names. Over the Unix socket none is needed.",
      },
    },
  };
  // Undefined members are none in JSON.
  return JSON.parse(JSON.stringify({ ...document, components })) as JsonObject;
}

interface Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

type Run = (operation: Operation, input: Input, call: PermittedCall) => Promise<Response>;

function createApp(
  operations: readonly Operation[],
  runOne: Run,
): OpenAPIHono<{ Bindings: Bindings }> {
  const app = new OpenAPIHono<{ Bindings: Bindings }>({
    defaultHook(result, context) {
      if (result.success) return undefined;
      const faults = faultsOf(result.target, result.error.issues);
      return problemResponse(
        new AdminProblem("invalid-input", undefined, faults),
        context.env.call,
      );
    },
  });
  const names = new Set<string>();
  for (const operation of operations) {
    const { spec } = operation;
    if (names.has(spec.operation)) throw new TypeError(`two operations called ${spec.operation}`);
    names.add(spec.operation);
    app.openapi(routeOf(operation), async (context) => {
      const { call } = context.env;
      // The gate permitted one operation; a path that hono reads in another way must not run another.
      if (call.operation !== spec.operation) throw new TypeError("not the operation permitted");
      const valid = context.req as unknown as { valid(target: string): unknown };
      const input = {
        params: spec.params === undefined ? undefined : valid.valid("param"),
        query: spec.query === undefined ? undefined : valid.valid("query"),
        body: spec.body === undefined ? undefined : valid.valid("json"),
      };
      return await runOne(operation, input, call);
    });
  }
  app.notFound((context) => problemResponse(new AdminProblem("no-operation"), context.env.call));
  app.onError((error) => {
    throw error;
  });
  return app;
}

async function run(
  operation: Operation,
  { input, call }: { readonly input: Input; readonly call: PermittedCall },
  deps: AdminDeps,
): Promise<Response> {
  const { spec } = operation;
  try {
    if (spec.body === undefined && call.body !== undefined) {
      throw new AdminProblem("unexpected-body");
    }
    const header = (name: string): string | undefined =>
      call.fields.find(([field]) => field === name)?.[1];
    const ifMatch = spec.conditional === true ? readIfMatch(header("if-match")) : undefined;
    const by = principalId(call.principal);
    const answer = (): Promise<ApiAnswer> =>
      operation
        .run(
          {
            ...input,
            ifMatch,
            principal: call.principal,
            by,
            decision: call.decision,
            asker: askerOf(call, by),
          },
          deps,
        )
        .then((made) => answerOf(operation, made));
    const key = spec.idempotent === true ? header("idempotency-key") : undefined;
    if (key === undefined) return responseOf(await answer());
    const asked = { key, by, call, secret: spec.secret === true };
    return responseOf(await answerOnce(asked, answer, deps));
  } catch (error) {
    return failed(error, call, deps);
  }
}

function askerOf({ decision, requestId, listener, peer }: PermittedCall, by: string): Asker {
  return { by, decisionId: decision, requestId, listener, peer };
}

function answerOf({ spec }: Operation, { body, number, location }: Answer): ApiAnswer {
  const fields: [string, string][] = [];
  if (number !== undefined) fields.push(["etag", etagOf(number)]);
  if (location !== undefined) fields.push(["location", location]);
  if (body === undefined) return { status: spec.answers.status, fields, body: "" };
  fields.push(["content-type", JSON_TYPE]);
  return { status: spec.answers.status, fields, body: `${JSON.stringify(body)}\n` };
}

function responseOf({ status, fields, body }: ApiAnswer): Response {
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  return new Response(body === "" ? null : body, { status, headers });
}

function failed(error: unknown, call: PermittedCall, { log }: AdminDeps): Response {
  const known = problemOf(error);
  if (known !== undefined) return problemResponse(known, call);
  log.error("an operation of the admin API failed", {
    operation: call.operation,
    decision: call.decision,
    error: error instanceof Error ? error : new Error(String(error)),
  });
  return problemResponse(new AdminProblem("internal-error", "the log says more"), call);
}

function problemResponse(problem: AdminProblem, { decision }: PermittedCall): Response {
  const document = problem.document(decision);
  return new Response(`${JSON.stringify(document)}\n`, {
    status: document.status,
    headers: { "content-type": PROBLEM_TYPE },
  });
}

const PLACES: Readonly<Record<string, string>> = {
  param: "path",
  query: "query",
  header: "header",
};

/** No value that was sent is in it: zod's messages name what was expected. */
function faultsOf(target: string, issues: readonly z.core.$ZodIssue[]): Fault[] {
  return issues.slice(0, LIMITS.faults).map(({ path, message }) => ({
    at:
      target === "json"
        ? `/${path.map((part) => String(part).replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`
        : `${PLACES[target] ?? target} ${path.join(".")}`.trimEnd(),
    message,
  }));
}

const LIMITS = {
  /** Faults that an answer holds. */
  faults: 50,
} as const;

/** Zod objects are open by default; headers are, for all that nobody asked about. */
function headersOf({ spec }: Operation): z.ZodObject | undefined {
  const shape = {
    ...(spec.conditional === true
      ? {
          "if-match": z
            .string()
            .optional()
            .describe("The ETag that it must have now, as it was read; otherwise 412."),
        }
      : {}),
    ...(spec.idempotent === true ? { "idempotency-key": idempotencyKeySchema } : {}),
  };
  return Object.keys(shape).length === 0 ? undefined : z.object(shape);
}

function routeOf(operation: Operation): Parameters<OpenAPIHono["openapi"]>[0] {
  const { spec } = operation;
  const headers = headersOf(operation);
  const request = {
    ...(spec.params === undefined ? {} : { params: spec.params }),
    // Strict: a misspelt parameter must not be read as one that was left out.
    query: spec.query ?? z.strictObject({}),
    ...(headers === undefined ? {} : { headers }),
    ...(spec.body === undefined
      ? {}
      : {
          body: {
            required: spec.bodyOptional !== true,
            content: { [JSON_TYPE]: { schema: spec.body } },
          },
        }),
  };
  return createRoute({
    method: spec.method,
    path: spec.path,
    operationId: spec.operation,
    tags: [spec.tag],
    summary: spec.summary,
    ...(spec.description === undefined ? {} : { description: spec.description }),
    request: request as never,
    responses: { ...successOf(operation), ...problemsOf(operation) },
  });
}

function successOf({ spec: { answers } }: Operation): Record<number, never> {
  const { status, description, schema, tagged } = answers;
  const headers =
    tagged === true
      ? { headers: z.object({ etag: z.string().describe("For `if-match`: its state.") }) }
      : {};
  const content = schema === undefined ? {} : { content: { [JSON_TYPE]: { schema } } };
  return { [status]: { description, ...headers, ...content } as never };
}

/** Those that every operation may answer, those of its input, and its own. */
function problemsOf({ spec }: Operation): Record<number, never> {
  const statuses = new Set<number>([...OF_ALL, ...(spec.problems ?? [])]);
  if (spec.conditional === true) statuses.add(412);
  if (spec.idempotent === true) for (const status of [409, 422]) statuses.add(status);
  return Object.fromEntries(
    [...statuses].map((status) => {
      const description = DESCRIPTIONS[status] ?? "A problem.";
      const content = { [PROBLEM_TYPE]: { schema: problemSchema } };
      return [status, { description, content } as never];
    }),
  );
}

const OF_ALL = [400, 401, 403, 413, 415, 429, 500, 503] as const;

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: "The request does not fit the operation; `faults` says where.",
  401: "No credential, or one that is not good.",
  403: "No policy permits this, or one forbids it.",
  404: "There is no such thing, or this process does not have it.",
  409: "It is not in a state for this.",
  412: "It has changed since it was read.",
  413: "The body is too large.",
  415: "The body is not application/json.",
  422:
    ADMIN_PROBLEMS["config-invalid"].title +
    ", or " +
    ADMIN_PROBLEMS["key-reused"].title.toLowerCase() +
    ".",
  429: "Too many failed credentials from this address.",
  500: "A defect of ours; the log has it under the decision.",
  503: "The store, the log or an identity provider cannot be reached now.",
};
