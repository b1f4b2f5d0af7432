import { openBareSocket, OPCODE } from '../helpers/raw-frames.ts';

/** A WebSocket client that does no more than a measurement needs, so that it measures the server and not itself. */
export interface Watcher {
  send(message: object): void;
  close(): void;
}

/**
 * Connects and has itself acknowledged.
 *
 * @param options.address where it says that it comes from, to a service that trusts its proxy.
 * @param options.onMessage each message of the server; the bytes are good only until it returns.
 * @throws Error when the server refuses.
 */
export async function openWatcher(
  url: string,
  options: { token?: string | undefined; address?: string; onMessage(message: Buffer): void },
): Promise<Watcher> {
  const { token, address, onMessage } = options;
  const { promise: acknowledged, resolve, reject } = Promise.withResolvers<void>();
  let begun = false;
  const { socket, send } = await openBareSocket(url, {
    headers: address === undefined ? {} : { 'X-Forwarded-For': address },
    onFrame(opcode, payload) {
      if (opcode !== OPCODE.text) return;
      if (begun) onMessage(payload);
      else resolve();
      begun = true;
    },
  });
  socket.once('close', () => reject(new Error('The server closed a socket before it was acknowledged.')));
  send({ type: 'connection_init', ...(token !== undefined && { payload: { authorization: token } }) });
  await acknowledged;
  return { send, close: () => void socket.destroy() };
}
