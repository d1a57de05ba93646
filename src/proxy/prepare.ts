/**
 * What each request of a route has its own of: header values, and the query for the service. Made
 * before anything is sent, so that a request which does not fit is refused whole.
 */
import type { Permit } from "../gate/decision.ts";
import type { QueryChanges, QueryTemplate } from "../gate/query-options.ts";
import { editQuery } from "../wire/query.ts";
import type { HeaderRules } from "./plan.ts";
import { renderFields, renderText, Unfit } from "./render.ts";

export interface Prepared {
  /** Fields to send behind those of `requestFields`. */
  readonly requestFields: readonly string[];
  /** Fields for the caller, behind those of `responseFields`. */
  readonly responseFields: readonly string[];
  readonly query: string | undefined;
}

export type Prepare = (permit: Permit) => Prepared | Unfit;

/** Undefined where all requests of the route are alike. */
export function createPrepare(changes: {
  readonly request: HeaderRules;
  readonly response: HeaderRules;
  readonly query: QueryChanges | undefined;
}): Prepare | undefined {
  const onRequest = [...changes.request.varying.set, ...changes.request.varying.add];
  const onResponse = [...changes.response.varying.set, ...changes.response.varying.add];
  const { query } = changes;
  if (onRequest.length + onResponse.length === 0 && query === undefined) return undefined;
  const queryOf = query === undefined ? asItIs : createQuery(query);
  return (permit) => {
    const requestFields: string[] = [];
    const responseFields: string[] = [];
    const unfit =
      renderFields(onRequest, permit, requestFields) ??
      renderFields(onResponse, permit, responseFields);
    if (unfit !== undefined) return unfit;
    const edited = queryOf(permit);
    return edited instanceof Unfit ? edited : { requestFields, responseFields, query: edited };
  };
}

function asItIs({ request }: Permit): string | undefined {
  return request.query;
}

function createQuery(changes: QueryChanges): (permit: Permit) => string | undefined | Unfit {
  const { set = [], add = [], remove = [] } = changes;
  const gone = new Set([...remove, ...set.map(({ key }) => key)]);
  const written: readonly QueryTemplate[] = [...set, ...add];
  return (permit) => {
    const appended: [string, string][] = [];
    for (const { key, value } of written) {
      const text = renderText(value, permit);
      if (text instanceof Unfit) return new Unfit(`query ${key}: ${text.detail}`);
      if (text !== undefined) appended.push([key, text]);
    }
    const edited = editQuery(permit.request.query, { gone, appended });
    return edited === null ? AMBIGUOUS : edited;
  };
}

const AMBIGUOUS = new Unfit("a query that can be read in two ways");
