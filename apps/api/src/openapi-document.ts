import { canonicalJson } from './canonical-json.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

export interface OpenApiDocument {
  openapi: string;
  info: JsonObject;
  paths: { [path: string]: { [method: string]: ApiOperation } };
  components: { schemas: { [name: string]: Json } } & JsonObject;
  [key: string]: unknown;
}

export interface ApiOperation {
  operationId: string;
  tags: string[];
  security?: Json;
  parameters?: JsonObject[];
  requestBody?: { required: boolean; content: { [mediaType: string]: JsonObject } };
  responses: { [status: string]: { description: string; headers?: JsonObject; content?: JsonObject } };
  'x-minimal-role': string;
  'x-optional-body'?: boolean;
  'x-body-example'?: Json;
  'x-answer-headers'?: string[];
  [key: string]: unknown;
}

const SCHEMA_REFERENCE = '#/components/schemas/';

const ANSWER_HEADERS: Readonly<Record<string, JsonObject>> = {
  etag: { description: 'Generation of the object; send it as If-Match', schema: { type: 'string' } },
  location: { description: 'Where the new object, or the operation, is', schema: { type: 'string' } },
};

/**
 * Makes the generated document fit to publish: works in what the generator cannot say, drops component schemas nobody refers
 * to, folds the `XInput` the generator makes of every shape into `X` where they are the same or only one is used, and puts
 * everything in a stable order.
 */
export function tidyDocument(document: OpenApiDocument): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {};
  for (const path of Object.keys(document.paths).sort()) {
    const methods = document.paths[path] ?? {};
    paths[path] = Object.fromEntries(Object.entries(methods).map(([method, call]) => [method, finished(call)]));
  }
  return withoutFormatPatterns(foldInputs({ ...document, paths })) as OpenApiDocument;
}

/** `format` says it already, in one word that generators of clients understand. */
function withoutFormatPatterns(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutFormatPatterns);
  if (typeof value !== 'object' || value === null) return value;
  const hasFormat = 'format' in value && (value.format === 'uuid' || value.format === 'date-time');
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !(hasFormat && key === 'pattern'))
      .map(([key, field]) => [key, withoutFormatPatterns(field)]),
  );
}

function finished(operation: ApiOperation): ApiOperation {
  const {
    'x-optional-body': isOptional,
    'x-body-example': example,
    'x-answer-headers': headerNames,
    ...rest
  } = structuredClone(operation);
  if (rest.requestBody !== undefined) {
    rest.requestBody.required = isOptional !== true;
    const json = rest.requestBody.content['application/json'];
    if (json !== undefined && example !== undefined) json['example'] = example;
  }
  // The highest one: beside 202 there may be the plan of a dry run, which has no such headers.
  const good = Object.keys(rest.responses).findLast((status) => status.startsWith('2'));
  const answer = good === undefined ? undefined : rest.responses[good];
  if (answer !== undefined && headerNames !== undefined && headerNames.length > 0) {
    answer.headers = Object.fromEntries(headerNames.map((name) => [name, ANSWER_HEADERS[name] ?? {}]));
  }
  return rest as ApiOperation;
}

function foldInputs(document: OpenApiDocument): OpenApiDocument {
  const used = reachable(document);
  const schemas = document.components.schemas;
  const renamed = new Map<string, string>();
  for (const name of used) {
    const plain = name.endsWith('Input') ? name.slice(0, -'Input'.length) : name;
    if (plain === name || !(plain in schemas)) continue;
    if (!used.has(plain) || isSame(schemas, name, plain)) renamed.set(name, plain);
  }
  const rename = (value: unknown): unknown => mapReferences(value, (name) => renamed.get(name) ?? name);
  const kept: [string, Json][] = [...used]
    // Where both are kept they are equal, or the plain one is unused: either way the input's text is the right one.
    .filter((name) => !renamed.has(name))
    .map((name) => [name, schemas[name] as Json]);
  for (const [name, plain] of renamed) if (!used.has(plain)) kept.push([plain, schemas[name] as Json]);
  kept.sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    ...document,
    paths: rename(document.paths) as OpenApiDocument['paths'],
    components: { ...document.components, schemas: rename(Object.fromEntries(kept)) as { [name: string]: Json } },
  };
}

const isSame = (schemas: { [name: string]: Json }, input: string, plain: string): boolean => {
  const text = (name: string) =>
    canonicalJson(mapReferences(schemas[name], (other) => (other.endsWith('Input') ? other.slice(0, -5) : other)));
  return text(input) === text(plain);
};

function reachable(document: OpenApiDocument): Set<string> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    mapReferences(value, (name) => {
      if (!found.has(name)) {
        found.add(name);
        visit(document.components.schemas[name]);
      }
      return name;
    });
  };
  visit(document.paths);
  return found;
}

function mapReferences(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => mapReferences(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) =>
      key === '$ref' && typeof field === 'string' && field.startsWith(SCHEMA_REFERENCE)
        ? [key, SCHEMA_REFERENCE + rename(field.slice(SCHEMA_REFERENCE.length))]
        : [key, mapReferences(field, rename)],
    ),
  );
}
