import { once } from 'node:events';
import { connect } from 'node:net';

/** A WebSocket client that does no more than a measurement needs, so that it measures the server and not itself. */
export interface Watcher {
  send(message: object): void;
  close(): void;
}

export interface WatcherOptions {
  readonly token?: string | undefined;
  /** Where it says that it comes from, to a service that trusts its proxy. */
  readonly address?: string;
  /** Each message of the server; the bytes are good only until it returns. */
  onMessage(message: Buffer): void;
}

const TEXT = 0x81;
const PING = 0x89;

/** A client's frame is masked; the mask 0 leaves the bytes as they are. */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? [first, 0x80 | length] : [first, 0xfe, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
}

/** Takes complete frames off the front of `bytes`, answers the rest. */
function readFrames(bytes: Buffer, onFrame: (first: number, payload: Buffer) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= 2) {
    const short = bytes[at + 1]! & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length - at < head) break;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    if (bytes.length - at < head + length) break;
    onFrame(bytes[at]!, bytes.subarray(at + head, at + head + length));
    at += head + length;
  }
  return bytes.subarray(at);
}

/** Connects and has itself acknowledged. @throws Error when the server refuses. */
export async function openWatcher(url: string, { token, address, onMessage }: WatcherOptions): Promise<Watcher> {
  const { host, hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const send = (message: object): void => void socket.write(frame(TEXT, Buffer.from(JSON.stringify(message))));
  await new Promise<void>((resolve, reject) => {
    let rest: Buffer = Buffer.alloc(0);
    let upgraded = false;
    let acknowledged = false;
    const onFrame = (first: number, payload: Buffer): void => {
      if (first === PING) socket.write(frame(0x8a, Buffer.from(payload)));
      if (first !== TEXT) return;
      if (acknowledged) onMessage(payload);
      else {
        acknowledged = true;
        resolve();
      }
    };
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (!upgraded) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        upgraded = true;
        rest = rest.subarray(end + 4);
        send({ type: 'connection_init', ...(token !== undefined && { payload: { authorization: token } }) });
      }
      rest = readFrames(rest, onFrame);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('The server closed a socket before it was acknowledged.')));
    socket.write(
      `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
        `Sec-WebSocket-Protocol: graphql-transport-ws\r\n${address === undefined ? '' : `X-Forwarded-For: ${address}\r\n`}\r\n`,
    );
  });
  return { send, close: () => void socket.destroy() };
}
