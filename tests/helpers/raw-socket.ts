import { WebSocket } from 'ws';

export interface RawSocket {
  socket: WebSocket;
  /** Messages so far. */
  messages: any[];
  send(message: object | string): void;
  /** Resolves with the next message that fits, also one that is in already. */
  next(fits: (message: any) => boolean): Promise<any>;
  /** Resolves with the code once the socket has closed. */
  closed: Promise<number>;
}

/** A WebSocket that speaks graphql-transport-ws word by word. */
export async function openSocket(
  url: string,
  options: { headers?: Record<string, string>; protocol?: string } = {},
): Promise<RawSocket> {
  const { headers = {}, protocol = 'graphql-transport-ws' } = options;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, { headers });
  const messages: any[] = [];
  const waiting = new Set<() => void>();
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    for (const check of waiting) check();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  return {
    socket,
    messages,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    next: (fits) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`No such message among ${JSON.stringify(messages)}`)), 5000);
        const check = () => {
          const found = messages.find(fits);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Opens a socket and has it acknowledged. */
export async function openSession(url: string, token?: string): Promise<RawSocket> {
  const raw = await openSocket(url);
  raw.send({ type: 'connection_init', ...(token && { payload: { authorization: `Bearer ${token}` } }) });
  await raw.next(({ type }) => type === 'connection_ack');
  return raw;
}
