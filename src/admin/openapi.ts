/** `GET /v1/openapi.json`: what can be asked, of whoever may know. */
import { z } from "zod";
import type { JsonObject } from "../model/json.ts";
import { type Operation, operation } from "./operation.ts";

/** `document` is asked for when the first caller wants it: it holds this operation too. */
export function openApiOperation(document: () => JsonObject): Operation {
  let made: JsonObject | undefined;
  return operation(
    {
      operation: "getOpenApi",
      method: "get",
      path: "/v1/openapi.json",
      tag: "process",
      summary: "This document",
      answers: {
        status: 200,
        description: "OpenAPI 3.1.",
        schema: z.record(z.string(), z.unknown()),
      },
    },
    () => ({ body: (made ??= document()) }),
  );
}
