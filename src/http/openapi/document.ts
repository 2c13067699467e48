/**
 * The API's document, OpenAPI 3.1: from the route table, from the schemas that validate requests, and
 * from what `operations/` says of each route. A route that nobody described has no entry here, and a
 * test fails for it.
 */
import { z } from 'zod';
import type { RejectionCode } from '../../domain/rejection.ts';
import { type DoorCode, problems } from '../problems.ts';
import { type Endpoint, isMethod, patternOf, type Route } from '../route.ts';
import { answers } from './answers.ts';
import type { Operation, Operations, Parameter } from './operation.ts';
import { bucketOperations } from './operations/buckets.ts';
import { consumerOperations } from './operations/consumers.ts';
import { eventOperations } from './operations/events.ts';
import { objectOperations } from './operations/objects.ts';
import { operatorOperations } from './operations/operators.ts';
import { queryOperations } from './operations/query.ts';
import { signedUrlOperations } from './operations/signed-urls.ts';
import { webhookOperations } from './operations/webhooks.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Document extends Json {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> } & Json;
}

export const operations: Operations = {
  ...bucketOperations,
  ...objectOperations,
  ...signedUrlOperations,
  ...queryOperations,
  ...eventOperations,
  ...consumerOperations,
  ...webhookOperations,
  ...operatorOperations,
};

export function documentOf(routes: readonly Route[], version: string): Document {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const pattern = patternOf(route);
    const path = pattern.replace('{.*}', '').replaceAll(/:(\w+)/g, '{$1}');
    for (const [method, endpoint] of Object.entries(route.methods)) {
      const operation = operations[`${method} ${pattern}`];
      if (!operation || !isMethod(method)) continue;
      const item = paths[path] ?? {};
      paths[path] = item;
      item[method.toLowerCase()] = operationJson(operation, endpoint, `${method} ${path}`);
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'aerostore', version, description: introduction },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: componentSchemas(),
    },
  };
}

const introduction =
  'Object storage: files in explicit buckets, under a policy, on a write-ahead log. ' +
  'HEAD is answered wherever GET is. In paths, {path} may hold slashes; OpenAPI has no way to say so. ' +
  'Every answer carries x-request-id, every change x-aerostore-position.';

function componentSchemas(): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(answers).map(([name, schema]) => [name, jsonSchema(schema, 'output')]),
  );
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}

function operationJson(operation: Operation, { access }: Endpoint, name: string): Json {
  const { summary, description, json, bytes } = operation;
  const body = json ? jsonBody(json) : bytes ? bytesBody : undefined;
  return {
    operationId: idOf(name),
    tags: [tagOf(name)],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(access === 'unasked' ? {} : { security: securityOf(access) }),
    parameters: [...pathParameters(name), ...parametersOf(operation)],
    ...(body ? { requestBody: body } : {}),
    responses: { ...successes(operation), ...refusals(operation, access) },
  };
}

function idOf(name: string): string {
  // The page answers with and without a slash at its end.
  const words = name.replace('/storage/v1', '').replace(/\/$/, '/slash').match(/\w+/g) ?? [];
  const [first = '', ...rest] = words.map((word) => word.toLowerCase());
  return first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function tagOf(name: string): string {
  const path = name.replace(/^\w+ (?:\/storage\/v1)?\//, '');
  if (/^object\/(?:upload\/)?sign/.test(path)) return 'signed URLs';
  const first = path.split('/', 1)[0];
  const tags: Json = {
    bucket: 'buckets',
    object: 'objects',
    query: 'query',
    events: 'events',
    consumers: 'consumers',
    webhooks: 'webhooks',
    admin: 'admin',
  };
  return String(tags[first ?? ''] ?? 'origin');
}

function securityOf(access: Endpoint['access']): Json[] {
  return access.startsWith('signed in') ? [{ bearer: [] }] : [{}, { bearer: [] }];
}

const limits: Readonly<Record<string, Json>> = {
  bucket: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' },
  path: { type: 'string', minLength: 1, maxLength: 1024 },
  name: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' },
};

function pathParameters(name: string): Json[] {
  return [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter = '']) => ({
    name: parameter,
    in: 'path',
    required: true,
    schema: limits[parameter] ?? { type: 'string' },
  }));
}

function parametersOf({ query, parameters = [] }: Operation): Json[] {
  const { properties = {}, required = [] } = query
    ? (jsonSchema(query, 'input') as { properties?: Record<string, Json>; required?: string[] })
    : {};
  const listed = Object.entries(properties).map(([name, schema]) => {
    const { default: usual, ...rest } = schema;
    // On the wire a parameter is text, and so is what stands for a missing one.
    const shown = usual === undefined ? rest : { ...rest, default: String(usual) };
    return { name, in: 'query', required: required.includes(name), schema: shown };
  });
  return [...listed, ...parameters.map(parameterJson)];
}

function parameterJson({ name, in: place, description, isRequired }: Parameter): Json {
  const schema = { type: 'string' };
  return { name, in: place, description, required: isRequired === true, schema };
}

function jsonBody({ schema, isOptional }: NonNullable<Operation['json']>): Json {
  return {
    required: isOptional !== true,
    content: { 'application/json': { schema: jsonSchema(schema, 'input') } },
  };
}

const form = {
  type: 'object',
  properties: {
    file: { type: 'string', format: 'binary' },
    cacheControl: { type: 'string' },
    metadata: { type: 'string', contentMediaType: 'application/json' },
    contentType: { type: 'string' },
  },
};

const bytesBody: Json = {
  required: true,
  content: { '*/*': { schema: {} }, 'multipart/form-data': { schema: form } },
};

const mediaTypes = {
  bytes: '*/*',
  stream: 'text/event-stream',
  html: 'text/html',
  javascript: 'text/javascript',
  css: 'text/css',
  document: 'application/json',
} as const;

function successes({ answer, summary }: Operation): Json {
  const isRaw = answer in mediaTypes;
  const type = isRaw ? mediaTypes[answer as keyof typeof mediaTypes] : 'application/json';
  const schema = isRaw ? {} : { $ref: `#/components/schemas/${answer}` };
  const success = { description: summary, content: { [type]: { schema } } };
  if (answer !== 'bytes') return { 200: success };
  return {
    200: success,
    206: { ...success, description: 'The range' },
    304: { description: 'The caller has it' },
  };
}

const everywhere: readonly (RejectionCode | DoorCode)[] = [
  'InvalidRequest',
  'HeaderTooLarge',
  'InternalError',
  'Overloaded',
  'NotReady',
];
const authenticated = ['InvalidJWT', 'TooManyRequests'] as const;

function refusals(operation: Operation, access: Endpoint['access']): Json {
  const { json, refusals: own } = operation;
  const codes = new Set<RejectionCode | DoorCode>([
    ...everywhere,
    ...(access === 'unasked' ? [] : authenticated),
    ...(access.startsWith('signed in') ? (['MissingAuthorization'] as const) : []),
    ...(json ? (['EntityTooLarge', 'RequestTimeout', 'IncompleteBody'] as const) : []),
    ...own,
    ...(operation.answer === 'Job' ? (['NoSuchRoute'] as const) : []),
  ]);
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [status, { description: some.join(', '), content }]),
  );
}
