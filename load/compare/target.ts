/** What is compared: something that takes bytes by PUT under a name and gives them by GET. */
import { Agent, type OutgoingHttpHeaders, request } from 'node:http';

export type Method = 'PUT' | 'GET';

export interface Address {
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

export interface Target {
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
  /** The processes whose time counts; none where they are not of this machine. */
  pids(): readonly number[];
  /** Where and how to ask. Made before the clock starts. */
  address(method: Method, name: string): Address | Promise<Address>;
  /** Of what was started here. */
  stop(): Promise<void>;
}

export interface Connections {
  readonly agent: Agent;
  readonly target: Target;
}

export function connect(target: Target, clients: number): Connections {
  return { target, agent: new Agent({ keepAlive: true, maxSockets: clients }) };
}

export interface Asked extends Address {
  readonly method: Method;
  /** Of a PUT. */
  readonly body?: Buffer;
}

/** The number of bytes that came back. Rejects where the answer is none of 2xx. */
export function exchange(
  { target: { hostname, port }, agent }: Connections,
  { method, path, headers, body }: Asked,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const length = body ? { 'content-length': body.length } : {};
    const asked = request({
      hostname,
      port,
      agent,
      method,
      path,
      headers: { ...length, ...headers },
    });
    asked.once('error', reject);
    asked.once('response', (response) => {
      const { statusCode = 0 } = response;
      let arrived = 0;
      let text = '';
      response.on('data', (chunk: Buffer) => {
        arrived += chunk.length;
        if (statusCode >= 300 && text.length < 500) text += chunk.toString();
      });
      response.once('error', reject);
      response.once('end', () => {
        if (statusCode >= 200 && statusCode < 300) resolve(arrived);
        else reject(new Error(`${method} ${path.split('?')[0]}: ${statusCode} ${text}`));
      });
    });
    asked.end(body);
  });
}
