/** One request: address, credentials, and an error for every answer that is not a success. */
import { AerostoreError, errorOf } from './errors.ts';

export interface ClientOptions {
  /** The server's origin, such as https://files.example.com. */
  readonly url: string;
  /** The login token, or what gives one for each request; without it the caller is anonymous. */
  readonly token?: string | (() => string | Promise<string>);
  /** In place of the global fetch. */
  readonly fetch?: typeof fetch;
}

export interface Asked {
  readonly method?: string;
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly json?: unknown;
  readonly body?: Body | undefined;
  /** What is undefined is not sent. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  /** False where the URL is all that counts. */
  readonly signedIn?: boolean;
}

export type Body = NonNullable<RequestInit['body']>;

type Parameter = string | number | boolean | undefined | readonly string[];

export interface Transport {
  /** The address of a path below /storage/v1. */
  address(path: string, query?: Asked['query']): string;
  /** Rejects with AerostoreError, or with what fetch rejects with. */
  request(path: string, asked?: Asked): Promise<Response>;
  json<T>(path: string, asked?: Asked): Promise<T>;
}

export function createTransport({ url, token, fetch: given }: ClientOptions): Transport {
  const base = `${url.replace(/\/+$/, '')}/storage/v1`;
  const send = given ?? ((...values: Parameters<typeof fetch>) => fetch(...values));
  const address = (path: string, query: Asked['query'] = {}) =>
    (/^https?:/.test(path) ? path : base + path) + searchOf(query);
  const authorization = async (asked: Asked): Promise<string | undefined> => {
    if (token === undefined || asked.signedIn === false) return undefined;
    return `Bearer ${typeof token === 'string' ? token : await token()}`;
  };
  const request = async (path: string, asked: Asked = {}): Promise<Response> => {
    const { method = 'GET', query, json, headers = {}, signal } = asked;
    const body = json === undefined ? asked.body : JSON.stringify(json);
    const type = json === undefined ? {} : { 'content-type': 'application/json' };
    const all = { ...type, authorization: await authorization(asked), ...headers };
    const init = {
      method,
      headers: Object.entries(all).filter((entry): entry is [string, string] => {
        return entry[1] !== undefined;
      }),
      ...(body === undefined ? {} : { body }),
      // What is streamed is sent before the answer is read.
      ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      ...(signal ? { signal } : {}),
    };
    const response = await send(address(path, query), init as RequestInit);
    if (response.ok || response.status === 304) return response;
    throw await errorOf(response);
  };
  return {
    address,
    request,
    json: async <T>(path: string, asked?: Asked) => (await request(path, asked)).json() as T,
  };
}

function searchOf(query: NonNullable<Asked['query']>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of typeof value === 'object' ? value : [value]) search.append(name, String(one));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * `bucket/path` for a URL. A path that a URL would change on the way (`a/../b`) is refused here, since
 * the server would never see it.
 */
export function locationOf(bucket: string, path?: string): string {
  const segments = [bucket, ...(path === undefined ? [] : path.split('/'))];
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw new AerostoreError({
      status: 400,
      code: path === undefined ? 'InvalidBucketName' : 'InvalidKey',
      message: 'The object path contains a "." or ".." segment',
    });
  }
  return segments.map(encodeURIComponent).join('/');
}
