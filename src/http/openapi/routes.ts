/**
 * GET /openapi.json, and /docs: Swagger UI from our own origin. Nothing on the page comes from, or
 * asks, another host: its policy forbids that, and inline scripts too.
 */
import { ok } from '../../domain/result.ts';
import type { Route } from '../route.ts';
import { type Answer, jsonAnswer } from '../wire/answer.ts';
import { type Document, documentOf } from './document.ts';

/** What the doors show of the program itself. */
export interface Site {
  readonly version: string;
  /** A file of the package swagger-ui-dist. */
  swaggerUi(name: 'swagger-ui-bundle.js' | 'swagger-ui.css'): Promise<string>;
}

/** `others` are the rest of the routes; the document has these ones too. */
export function openApiRoutes(site: Site, others: readonly Route[]): Route[] {
  let document: Document | undefined;
  const routes = [
    page('/openapi.json', async () => {
      document ??= documentOf([...routes, ...others], site.version);
      return jsonAnswer(document, { headers: { 'cache-control': 'no-cache' } });
    }),
    page('/docs', async () => asset('text/html', html)),
    page('/docs/', async () => asset('text/html', html)),
    page('/docs/init.js', async () => asset('text/javascript', script)),
    page('/docs/swagger-ui-bundle.js', async () =>
      asset('text/javascript', await site.swaggerUi('swagger-ui-bundle.js')),
    ),
    page('/docs/swagger-ui.css', async () =>
      asset('text/css', await site.swaggerUi('swagger-ui.css')),
    ),
  ];
  return routes;
}

function page(prefix: string, answer: () => Promise<Answer>): Route {
  const handle = async () => ok(await answer());
  return { prefix, tail: 'nothing', methods: { GET: { access: 'unasked', handle } } };
}

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function asset(type: string, body: string): Answer {
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-cache',
    'content-security-policy': policy,
    'referrer-policy': 'no-referrer',
  };
  return { status: 200, headers, body };
}

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>aerostore API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
`;

const script = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: 'none',
});
`;
