/**
 * What the scenarios share: the server under load, requests that are checked, figures. Runs in k6,
 * not in Node. load/k6.ts starts the server, sets the variables and judges what is left behind.
 */
import { check } from 'k6';
import { randomBytes } from 'k6/crypto';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

const base = `${__ENV.URL}/storage/v1`;
const headers = { authorization: `Bearer ${__ENV.TOKEN}` };

export const bucket = __ENV.BUCKET;
export const sizeBytes = Number(__ENV.SIZE || 4096);
export const count = Number(__ENV.COUNT || 100);
export const clients = Number(__ENV.CLIENTS || 8);
/** How many objects lie there before. */
export const stock = Number(__ENV.STOCK || 0);

/** Without what `setup` asks: k6's own figures have that in them. */
const took = new Trend('took', true);
const elapsed = new Trend('elapsed', true);
const moved = new Counter('moved_bytes');
const mistakes = new Counter('mistakes');

/** `count` calls of `work`, spread over `clients`. */
export function optionsFor(more = {}) {
  return {
    scenarios: {
      load: {
        executor: 'shared-iterations',
        exec: 'work',
        vus: clients,
        iterations: count,
        maxDuration: '30m',
        ...more,
      },
    },
    setupTimeout: '10m',
    summaryTrendStats: ['med', 'p(99)', 'max'],
    // One request that is not answered as it must be, and k6 ends with 99.
    thresholds: { mistakes: ['count==0'], checks: ['rate==1'], http_req_failed: ['rate==0'] },
  };
}

/** The bytes of this client, made once. */
export const payload = new Uint8Array(randomBytes(sizeBytes)).buffer;

export function upload(name, body = payload) {
  const asked = { headers: { ...headers, 'content-type': 'application/octet-stream' } };
  const reply = http.put(`${base}/object/${bucket}/${name}`, body, { ...asked, ...patient('PUT') });
  return seen(reply, body.byteLength, (answer) => answer.json('size') === body.byteLength);
}

export function download(name, size = sizeBytes) {
  // The body of a large one is counted by k6 and thrown away; one that is cut short is an error.
  const responseType = size > 4 * 1024 * 1024 ? 'none' : 'binary';
  const asked = { headers, responseType, ...patient('GET') };
  const reply = http.get(`${base}/object/${bucket}/${name}`, asked);
  const length = Number(reply.headers['Content-Length']);
  const arrived = responseType === 'none' ? length : reply.body?.byteLength;
  return seen(reply, arrived, () => length === size && arrived === size);
}

export function remove(name) {
  return seen(http.del(`${base}/object/${bucket}/${name}`, null, { headers }), 0);
}

export function info(name) {
  const reply = http.get(`${base}/object/info/${bucket}/${name}`, { headers });
  return seen(reply, 0, (answer) => answer.json('name') === name);
}

export function list(query, expected) {
  const reply = http.get(`${base}/object/list/${bucket}?${query}`, { headers });
  return seen(reply, 0, (answer) => answer.json('objects').length === expected);
}

export function sign(name) {
  const body = JSON.stringify({ expiresIn: 60 });
  const asked = { headers: { ...headers, 'content-type': 'application/json' } };
  const reply = http.post(`${base}/object/sign/${bucket}/${name}`, body, asked);
  seen(reply, 0, (answer) => answer.json('url').includes('token='));
  return reply.json('url');
}

export function follow(url, size) {
  const reply = http.get(url, { responseType: 'binary' });
  return seen(reply, size, (answer) => answer.body.byteLength === size);
}

/** Asked for what is not there any more. */
export function gone(name) {
  const asked = { headers, responseCallback: http.expectedStatuses(404) };
  const reply = http.get(`${base}/object/${bucket}/${name}`, asked);
  return judge(reply, reply.status === 404);
}

export const nameOf = (index) => `stock/${String(index).padStart(6, '0')}`;

/** For `setup`: `stock` objects of `sizeBytes`, 32 at a time. */
export function fill() {
  const asked = { headers: { ...headers, 'content-type': 'application/octet-stream' } };
  for (let first = 0; first < stock; first += 32) {
    const some = Array.from({ length: Math.min(32, stock - first) }, (_, index) => first + index);
    const replies = http.batch(
      some.map((at) => ['PUT', `${base}/object/${bucket}/${nameOf(at)}`, payload, asked]),
    );
    const refused = replies.find(({ status }) => status !== 200);
    if (refused) exec.test.abort(`filling: ${refused.status} ${refused.error} ${refused.body}`);
  }
}

export const anyOfStock = () => nameOf(Math.floor(Math.random() * stock));

function patient(method) {
  return { timeout: '10m', tags: { name: method } };
}

function seen(reply, bytes, isRight = () => true) {
  const isOk = reply.status === 200 && isRight(reply);
  took.add(reply.timings.duration);
  moved.add(isOk ? bytes : 0);
  return judge(reply, isOk);
}

function judge(reply, isOk) {
  elapsed.add(Date.now() - exec.scenario.startTime);
  check(reply, { 'answered as it must be': () => isOk });
  mistakes.add(isOk ? 0 : 1);
  if (!isOk) console.error(`${reply.request.method} ${reply.status} ${reply.error} ${reply.body}`);
  return isOk;
}

/** k6 writes what it measured where load/k6.ts reads it. */
export function handleSummary(data) {
  return { [__ENV.SUMMARY]: JSON.stringify(data.metrics) };
}
