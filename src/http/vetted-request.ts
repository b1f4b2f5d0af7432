import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';

type Listener = (...args: unknown[]) => void;

/** What is looked at before graphql-upload-minimal acts on it; throws to refuse. */
export interface Vet {
  field(name: string, value: string, info: { valueTruncated: boolean }): void;
  file(name: string): void;
}

/**
 * A request as `processRequest` of graphql-upload-minimal 1.6 takes it, with each part vetted first. The package follows
 * the paths of `map` along prototypes: `variables.toString.call` would overwrite `Function.prototype.call` for the
 * whole process. It pipes the request into a busboy parser, and its listeners are on that parser by then.
 *
 * @returns the request, and how to end the parsing from outside; what has not arrived by then never will.
 */
export function vetRequest(req: IncomingMessage, vet: Vet): { request: IncomingMessage; end(error: Error): void } {
  let parser: Writable | undefined;

  function guard(target: Writable, event: keyof Vet): void {
    for (const listener of target.listeners(event) as Listener[]) {
      target.off(event, listener);
      target.on(event, (...args: unknown[]) => {
        if (target.destroyed) return;
        try {
          (vet[event] as Listener)(...args);
        } catch (error) {
          if (event === 'file') (args[1] as NodeJS.ReadableStream).on('error', () => {}).resume();
          // At once: `destroy` alone would tell the package only after the rest of the chunk has been parsed.
          target.emit('error', error);
          target.destroy();
          return;
        }
        listener(...args);
      });
    }
  }

  const request = {
    headers: req.headers,
    get readableEnded() {
      return req.readableEnded;
    },
    pipe(target: Writable) {
      parser = target;
      // The package listens for one error only; a parser that is destroyed reports a part it was in the midst of, too.
      target.on('error', () => {});
      guard(target, 'field');
      guard(target, 'file');
      return req.pipe(target);
    },
    unpipe: (target: Writable) => req.unpipe(target),
    once: (event: string, listener: Listener) => req.once(event, listener),
    resume: () => req.resume(),
  };
  return {
    request: request as unknown as IncomingMessage,
    end: (error) => parser?.destroy(error),
  };
}
