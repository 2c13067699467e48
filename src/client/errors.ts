/** What a call rejects with when the server refused it. */
export interface Problem {
  readonly status: number;
  /** What programs should look at: NoSuchKey, AccessDenied, … */
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** Finds the request in the server's log. */
  readonly requestId?: string | undefined;
  /** What else the answer told, such as max_bytes. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export class AerostoreError extends Error implements Problem {
  override readonly name = 'AerostoreError';
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Seconds after which to try again, where the server said. */
  readonly retryAfterSeconds: number | undefined;

  constructor(problem: Problem & { readonly retryAfterSeconds?: number | undefined }) {
    super(problem.message);
    this.status = problem.status;
    this.code = problem.code;
    this.hint = problem.hint;
    this.requestId = problem.requestId;
    this.facts = problem.facts ?? {};
    this.retryAfterSeconds = problem.retryAfterSeconds;
  }
}

/** Also of an answer that is none of aerostore's, such as a proxy's page. */
export async function errorOf(response: Response): Promise<AerostoreError> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const { code, message, hint, statusCode: _status, error: _error, ...facts } = jsonOf(text);
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  return new AerostoreError({
    status,
    code: typeof code === 'string' ? code : 'Unknown',
    message: typeof message === 'string' ? message : `The server answered ${status}`,
    hint: typeof hint === 'string' ? hint : undefined,
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    facts,
  });
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
