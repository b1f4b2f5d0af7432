import { createSourceEventStream, execute, type DocumentNode, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { RequestFacts } from './server.ts';

type Results = Map<string, ExecutionResult | Promise<ExecutionResult>>;

/** For all who keep up; who comes later has the selection run for itself. */
const SHARED_MS = 1000;

/**
 * Everything but the event and the document that an answer may depend on: who asks, from where, and for what. Two
 * subscriptions that differ in any of it share nothing.
 */
function keyOf({ contextValue, operationName, variableValues }: ExecutionArgs): string {
  const { actor, baseUrl } = contextValue as Pick<RequestFacts, 'actor' | 'baseUrl'>;
  return JSON.stringify([actor, baseUrl, operationName, variableValues]);
}

/** Runs a subscription's selection once for each event, not once for each of those who follow it with the same document. */
export function createSharedSubscribe() {
  const shared = new WeakMap<object, WeakMap<DocumentNode, Results>>();

  function resultsOf(event: object, document: DocumentNode): Results {
    let documents = shared.get(event);
    if (documents === undefined) {
      shared.set(event, (documents = new WeakMap()));
      // A reader that stands still holds on to its events, and must not hold what others were told of them.
      const held = new WeakRef(event);
      const forget = (): void => {
        const still = held.deref();
        if (still !== undefined) shared.delete(still);
      };
      setTimeout(forget, SHARED_MS).unref();
    }
    let results = documents.get(document);
    if (results === undefined) documents.set(document, (results = new Map()));
    return results;
  }

  return async function subscribe(
    args: ExecutionArgs,
  ): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
    const events = await createSourceEventStream(args);
    if (!isAsyncIterable(events)) return events;
    const iterator = (events as AsyncIterable<object>)[Symbol.asyncIterator]();
    const key = keyOf(args);

    async function answer(event: object): Promise<ExecutionResult> {
      const own = () => execute({ ...args, rootValue: event });
      const results = resultsOf(event, args.document);
      const known = results.get(key);
      if (known !== undefined) {
        const result = await known;
        // An error may be about the other request alone, which may have been aborted.
        return result.errors === undefined ? result : own();
      }
      const result = own();
      results.set(key, result);
      return result;
    }

    const answers: AsyncIterableIterator<ExecutionResult> = {
      async next() {
        const { done, value } = await iterator.next();
        return done ? { done, value: undefined } : { done: false, value: await answer(value) };
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
    return answers;
  };
}

/** Yoga's `subscribe`, replaced by one that shares. */
export function shareEvents(): Plugin {
  const subscribe = createSharedSubscribe();
  return { onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(subscribe as never) };
}
