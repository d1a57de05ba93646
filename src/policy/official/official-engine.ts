/**
 * The official Cedar engine (WebAssembly), and the only file that knows it. It is synchronous, never
 * frees what it is given, and a text that nests too deeply breaks it for good: the program runs it in
 * a thread that is thrown away (official-thread.ts). Tests and benchmarks use it as the oracle.
 *
 * Offsets in its errors count UTF-8 bytes of the text that it was given.
 */
import {
  formatPolicies,
  getCedarVersion,
  isAuthorized,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  schemaToJson,
  schemaToText,
  statefulIsAuthorized,
  templateToJson,
  validate,
  type AuthorizationAnswer,
  type AuthorizationCall,
  type DetailedError,
  type Entities,
  type PolicySet,
  type Schema,
  type ValidationError,
} from "@cedar-policy/cedar-wasm/nodejs";
import type { EntityUidJson, PolicyJson, UidJson } from "../cedar/policy-json.ts";

/** One error or warning. */
export interface OfficialError {
  readonly message: string;
  readonly help: string | undefined;
  /** UTF-8 bytes from the start of the text; undefined where the engine names no place. */
  readonly startByte: number | undefined;
  /** The policy, when a policy was validated. */
  readonly policyId: string | undefined;
}

export type OfficialResult<T> =
  | { readonly value: T; readonly errors?: undefined }
  | { readonly errors: readonly OfficialError[]; readonly value?: undefined };

/** A schema in Cedar's JSON format, or as text. */
export type OfficialSchema = string | Readonly<Record<string, unknown>>;

export const OFFICIAL_VERSION: string = getCedarVersion();

/** Cuts a policy file into the texts of its policies and templates, in no useful order. */
export function officialParts(text: string): OfficialResult<{
  readonly policies: readonly string[];
  readonly templates: readonly string[];
}> {
  const answer = policySetTextToParts(text);
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  return { value: { policies: answer.policies, templates: answer.policy_templates } };
}

/** One policy without slots. */
export function officialPolicyJson(text: string): OfficialResult<PolicyJson> {
  const answer = policyToJson(text);
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  return { value: answer.json as unknown as PolicyJson };
}

/** One template. */
export function officialTemplateJson(text: string): OfficialResult<PolicyJson> {
  const answer = templateToJson(text);
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  return { value: answer.json as unknown as PolicyJson };
}

/** The text of a policy file in the one form that Cedar gives it. */
export function officialFormat(
  policyText: string,
  { lineWidth, indentWidth }: { readonly lineWidth: number; readonly indentWidth: number },
): OfficialResult<string> {
  const answer = formatPolicies({ policyText, lineWidth, indentWidth });
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  return { value: answer.formatted_policy };
}

/** Validates policies, by id, in the strict mode. */
export function officialValidate(
  schema: OfficialSchema,
  policies: Readonly<Record<string, string>>,
): Validation {
  return validateSet(schema, { staticPolicies: policies });
}

/** The same of templates, for whatever fills their slots. */
export function officialValidateTemplates(
  schema: OfficialSchema,
  templates: Readonly<Record<string, string>>,
): Validation {
  return validateSet(schema, { templates });
}

type Validation = OfficialResult<readonly OfficialError[]> & {
  readonly warnings: readonly OfficialError[];
};

function validateSet(schema: OfficialSchema, policies: PolicySet): Validation {
  const answer = validate({ schema: schema as Schema, policies });
  if (answer.type === "failure") return { errors: plainErrors(answer.errors), warnings: [] };
  const warnings = answer.validationWarnings.map(validationError);
  if (answer.validationErrors.length === 0) return { value: [], warnings };
  return { errors: answer.validationErrors.map(validationError), warnings };
}

/** The schema in Cedar's text format. */
export function officialSchemaText(schema: OfficialSchema): OfficialResult<string> {
  const answer = schemaToText(schema as Schema);
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  return { value: answer.text };
}

/** The schema in Cedar's JSON format. */
export function officialSchemaJson(
  schema: string,
): OfficialResult<Readonly<Record<string, unknown>>> {
  const answer = schemaToJson(schema);
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  return { value: answer.json };
}

/** A question to the official engine; data in Cedar's JSON format. */
export interface OfficialRequest {
  readonly principal: EntityUidJson;
  readonly action: EntityUidJson;
  readonly resource: EntityUidJson;
  readonly context: Readonly<Record<string, unknown>>;
  readonly entities: readonly unknown[];
  readonly schema?: OfficialSchema;
  readonly validateRequest?: boolean;
}

export interface OfficialPolicies {
  readonly policies: Readonly<Record<string, string>>;
  readonly templates?: Readonly<Record<string, string>>;
  readonly links?: readonly {
    readonly templateId: string;
    readonly newId: string;
    readonly values: Readonly<Record<string, UidJson>>;
  }[];
}

export interface OfficialAnswer {
  readonly decision: "allow" | "deny";
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
}

/** Parses the policies anew at each call. */
export function officialIsAuthorized(
  request: OfficialRequest,
  set: OfficialPolicies,
): OfficialResult<OfficialAnswer> {
  return plainAnswer(
    isAuthorized({
      ...request,
      policies: {
        staticPolicies: set.policies,
        ...(set.templates === undefined ? {} : { templates: set.templates }),
        ...(set.links === undefined ? {} : { templateLinks: [...set.links] }),
      },
    } as AuthorizationCall),
  );
}

/** Parses the policies once and returns the question. `name` is a memory for good: use few. */
export function officialPreparsed(
  name: string,
  policies: Readonly<Record<string, string>>,
): (request: OfficialRequest) => OfficialResult<OfficialAnswer> {
  const parsed = preparsePolicySet(name, { staticPolicies: policies });
  if (parsed.type === "failure") throw new TypeError(parsed.errors[0]?.message);
  return (request) =>
    plainAnswer(
      statefulIsAuthorized({
        principal: request.principal,
        action: request.action,
        resource: request.resource,
        context: request.context as AuthorizationCall["context"],
        entities: request.entities as Entities,
        preparsedPolicySetId: name,
      }),
    );
}

function plainAnswer(answer: AuthorizationAnswer): OfficialResult<OfficialAnswer> {
  if (answer.type === "failure") return { errors: plainErrors(answer.errors) };
  const { decision, diagnostics } = answer.response;
  return {
    value: {
      decision,
      determining: diagnostics.reason,
      erroring: diagnostics.errors.map(({ policyId }) => policyId),
    },
  };
}

function validationError({ policyId, error }: ValidationError): OfficialError {
  return { ...plainError(error), policyId };
}

function plainErrors(errors: readonly DetailedError[]): OfficialError[] {
  return errors.flatMap((error) => [plainError(error), ...plainErrors(error.related ?? [])]);
}

function plainError(error: DetailedError): OfficialError {
  const place = error.sourceLocations?.[0];
  const label = place?.label ?? undefined;
  return {
    message: error.message,
    help: error.help ?? label,
    startByte: place?.start,
    policyId: undefined,
  };
}
