import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

// WebSocket frames by hand (RFC 6455, section 5.2): for clients that are cheaper, or ruder, than any library's.

export const FIN = 0x80;
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame as clients send it; masked with 0, which leaves the bytes as they are. */
export function frame(first: number, payload: Buffer | string, masked = true): Buffer {
  const body = Buffer.from(payload as string);
  const { length } = body;
  const mask = masked ? 0x80 : 0;
  const size =
    length < 126
      ? [mask | length]
      : length < 65_536
        ? [mask | 126, length >> 8, length & 255]
        : [mask | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([first, ...size, ...(masked ? [0, 0, 0, 0] : [])]), body]);
}

/** Takes the complete frames of a server off the front of `bytes`; answers the rest. */
function readFrames(bytes: Buffer, onFrame: (opcode: number, payload: Buffer) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= 2) {
    const short = bytes[at + 1]! & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length - at < head) break;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    if (bytes.length - at < head + length) break;
    onFrame(bytes[at]! & 15, bytes.subarray(at + head, at + head + length));
    at += head + length;
  }
  return bytes.subarray(at);
}

export interface BareSocket {
  readonly socket: Socket;
  /** What the server answered to the upgrade. */
  readonly handshake: string;
  write(first: number, payload: Buffer | string, masked?: boolean): void;
  /** As a text message. */
  send(message: object): void;
}

/**
 * Upgrades a connection and nothing more. Pings are answered.
 *
 * @param options.onFrame each frame of the server; the bytes are good only until it returns.
 */
export async function openBareSocket(
  url: string,
  options: { headers?: Record<string, string>; onFrame?: (opcode: number, payload: Buffer) => void } = {},
): Promise<BareSocket> {
  const { host, hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  socket.on('error', () => {});
  const headers = {
    Host: host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'graphql-transport-ws',
    ...options.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);

  const onFrame = (opcode: number, payload: Buffer): void => {
    if (opcode === OPCODE.ping && socket.writable) socket.write(frame(FIN | OPCODE.pong, payload));
    options.onFrame?.(opcode, payload);
  };
  const handshake = await new Promise<string>((resolve, reject) => {
    let rest: Buffer = Buffer.alloc(0);
    let upgraded = false;
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = upgraded ? -4 : rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!upgraded) resolve(rest.toString('latin1', 0, end));
      upgraded = true;
      rest = readFrames(rest.subarray(end + 4), onFrame);
    });
    socket.once('close', () => reject(new Error('The server closed the connection instead of upgrading it.')));
  });
  const write = (first: number, payload: Buffer | string, masked?: boolean): void =>
    void socket.write(frame(first, payload, masked));
  return { socket, handshake, write, send: (message) => write(FIN | OPCODE.text, JSON.stringify(message)) };
}
