/** What the edge allows before a request has reached anybody. Bytes and milliseconds. */
export interface HttpLimits {
  /** A body that is not multipart, and the `operations` and `map` of one that is. */
  readonly bodyBytes: number;
  /**
   * Files of one multipart request. No mutation takes more than one; a second makes room for a client's own error, which
   * is then answered with what is wrong. All of them share one place of an upload.
   */
  readonly files: number;
  readonly headersMs: number;
  /** For a whole request: 20 MB at 550 kbit/s. */
  readonly requestMs: number;
  /** A body that brings less than this, averaged over a window, is cut off. */
  readonly minBytesPerSecond: number;
  readonly minRateWindowMs: number;
  /** What is still read of a request that has its answer, so that the client can finish and reuse the connection. */
  readonly drainBytes: number;
  readonly drainMs: number;
  /** A reader of server-sent events that takes nothing for so long is cut off. */
  readonly stalledReaderMs: number;
  /** WebSockets and event streams together. */
  readonly openConnections: { readonly perAddress: number; readonly perSession: number };
  readonly socket: SocketLimits;
}

/** The same for WebSockets. */
export interface SocketLimits {
  readonly messageBytes: number;
  readonly initMs: number;
  /** Between two pings; a socket that has not answered one by the next is cut off. */
  readonly pingMs: number;
  readonly operations: number;
  /** Not yet sent; a socket with more is cut off. */
  readonly bufferedBytes: number;
}

export const HTTP_LIMITS: HttpLimits = {
  bodyBytes: 1e6,
  files: 2,
  headersMs: 10_000,
  requestMs: 300_000,
  minBytesPerSecond: 2048,
  minRateWindowMs: 10_000,
  drainBytes: 32e6,
  drainMs: 5000,
  stalledReaderMs: 20_000,
  openConnections: { perAddress: 100, perSession: 100 },
  socket: {
    messageBytes: 256 * 1024,
    initMs: 3000,
    pingMs: 12_000,
    operations: 100,
    bufferedBytes: 8e6,
  },
};
