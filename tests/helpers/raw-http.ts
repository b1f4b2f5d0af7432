import { request, type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  json: any;
}

/** One request by node:http, which adds nothing and follows nothing. A list of chunks is sent without a length. */
export function send(
  url: string,
  options: {
    method?: string;
    headers?: OutgoingHttpHeaders;
    body?: string | Buffer | Buffer[] | undefined;
    agent?: Agent;
  } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, agent } = options;
    const outgoing = request(url, { method, headers, ...(agent && { agent }) }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString('utf8');
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: bytes,
          text,
          get json() {
            return JSON.parse(text);
          },
        });
      });
    });
    outgoing.on('error', reject);
    if (Array.isArray(body)) {
      for (const chunk of body) outgoing.write(chunk);
      outgoing.end();
    } else outgoing.end(body);
  });
}

/** A GraphQL operation as JSON. */
export function graphql(
  url: string,
  query: string,
  options: { variables?: unknown; token?: string; headers?: OutgoingHttpHeaders } = {},
): Promise<RawAnswer> {
  return send(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(options.token && { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    body: JSON.stringify({ query, variables: options.variables }),
  });
}

export const BOUNDARY = 'heirloom-boundary';

export function part(disposition: string, content: string | Buffer, type?: string): Buffer {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n${type ? `Content-Type: ${type}\r\n` : ''}\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(content), Buffer.from('\r\n')]);
}

export const END = Buffer.from(`--${BOUNDARY}--\r\n`);

/** A multipart request by the specification: `operations`, `map`, then the files. */
export function multipartBody(
  query: string,
  variables: Record<string, unknown>,
  files: { path: string; name?: string; content: Buffer }[],
): Buffer {
  return Buffer.concat([
    part('name="operations"', JSON.stringify({ query, variables })),
    part('name="map"', JSON.stringify(Object.fromEntries(files.map(({ path }, index) => [index, [path]])))),
    ...files.map(({ name, content }, index) =>
      part(`name="${index}"; filename="${name ?? 'scan.jpg'}"`, content, 'image/jpeg'),
    ),
    END,
  ]);
}

export function postMultipart(
  url: string,
  body: Buffer | Buffer[],
  options: { token?: string | null; headers?: OutgoingHttpHeaders; agent?: Agent } = {},
): Promise<RawAnswer> {
  const { token = 'ann', headers, agent } = options;
  return send(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body,
    ...(agent && { agent }),
  });
}

/** A bare TCP connection, for what no HTTP client would do. */
export function open(port: number): Promise<Socket & { received(): string }> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => resolve(Object.assign(socket, { received: () => text })));
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
  });
}

/** Waits until `condition` holds; fails after `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not within ${ms} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
