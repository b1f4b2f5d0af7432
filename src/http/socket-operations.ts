import { getOperationAST, GraphQLError, type ExecutionArgs, type ExecutionResult, type GraphQLSchema } from 'graphql';
import type { ServerOptions } from 'graphql-ws';
import { isAsyncIterable } from 'graphql-yoga';
import type { WebSocket } from 'ws';
import type { Actor } from '../db/context.ts';
import { AppError } from '../errors.ts';
import { withoutHttp } from '../graphql/mask.ts';
import { assertParams } from '../graphql/plugins.ts';
import type { GraphQLServer, RequestFacts } from '../graphql/server.ts';
import type { Log } from '../log.ts';
import { shuttingDown } from './stopping.ts';

/** One socket, from upgrade to close. */
export interface Connection {
  readonly id: string;
  readonly socket: WebSocket;
  readonly address: string;
  readonly baseUrl: string;
  readonly log: Log;
  /** Known after connection_init. */
  actor: Actor | undefined;
  readonly operations: Map<string, AbortController>;
  /** What to give back when the socket closes. */
  readonly releases: (() => void)[];
  release(): void;
}

type Extra = { connection: Connection };
type Hooks = Pick<
  ServerOptions<Record<string, unknown>, Extra>,
  'onSubscribe' | 'execute' | 'subscribe' | 'onNext' | 'onError' | 'onComplete'
>;

/** A complete message is short; nothing longer is parsed twice. */
const LONGEST_COMPLETE = 512;

function factsOf(connection: Connection, id: string): RequestFacts {
  const { address, baseUrl, log } = connection;
  const controller = new AbortController();
  connection.operations.get(id)?.abort();
  connection.operations.set(id, controller);
  const actor = connection.actor ?? { kind: 'anonymous', address };
  return { actor, requestId: connection.id, signal: controller.signal, log, baseUrl, address };
}

/** Runs the operations of sockets through Yoga's plugins, so that what holds over HTTP holds here. */
export function createOperations({ yoga, mask }: GraphQLServer, limit: number) {
  const prepared = new WeakMap<object, { enveloped: ReturnType<typeof yoga.getEnveloped>; facts: RequestFacts }>();

  /** graphql-ws closes a socket with 4500, for good, when one of these throws; an answer with errors is enough. */
  async function run(args: ExecutionArgs, kind: 'execute' | 'subscribe') {
    const ready = prepared.get(args.contextValue as object);
    try {
      if (ready === undefined) throw new Error('An operation without a context.');
      const result: unknown = await ready.enveloped[kind](args);
      return isAsyncIterable(result) ? withMaskedEnd(result, ready.facts) : (result as ExecutionResult);
    } catch (error) {
      return { errors: [mask(error, ready?.facts)] };
    }
  }

  /** An error that ends a subscription becomes its last message. */
  function withMaskedEnd(results: AsyncIterable<unknown>, facts: RequestFacts): AsyncGenerator<ExecutionResult> {
    const iterator = results[Symbol.asyncIterator]() as AsyncIterator<ExecutionResult, undefined>;
    let over = false;
    return {
      async next() {
        if (over) return { done: true, value: undefined };
        try {
          return await iterator.next();
        } catch (error) {
          over = true;
          if (facts.signal.aborted) return { done: true, value: undefined };
          return { done: false, value: { errors: [mask(error, facts)] } };
        }
      },
      async return() {
        over = true;
        await iterator.return?.();
        return { done: true, value: undefined };
      },
      async throw(error) {
        throw error;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
      async [Symbol.asyncDispose]() {
        await this.return(undefined);
      },
    };
  }

  const hooks: Hooks = {
    async onSubscribe({ extra: { connection }, subscriptions }, id, params) {
      const facts = factsOf(connection, id);
      try {
        // A message may still come between our close frame and the client's.
        if (connection.socket.readyState !== connection.socket.OPEN) throw shuttingDown();
        if (Object.keys(subscriptions).length > limit) {
          throw new AppError('RATE_LIMITED', `A socket carries at most ${limit} operations at once.`);
        }
        const { query, variables, operationName } = params;
        assertParams({ query, variables: variables ?? {} });
        const enveloped = yoga.getEnveloped({ facts, params } as never);
        const document: ExecutionArgs['document'] = enveloped.parse(query);
        const schema = enveloped.schema as GraphQLSchema;
        const errors = enveloped.validate(schema, document) as readonly GraphQLError[];
        if (errors.length > 0) {
          connection.operations.delete(id);
          return errors.map((error) => mask(error, facts));
        }
        if (getOperationAST(document, operationName) == null) {
          throw new AppError('BAD_USER_INPUT', 'The document has no such operation, or several and no name was given.');
        }
        const contextValue = (await enveloped.contextFactory()) as object;
        prepared.set(contextValue, { enveloped, facts });
        return { schema, document, operationName, variableValues: variables, contextValue };
      } catch (error) {
        connection.operations.delete(id);
        return [mask(error, facts)];
      }
    },
    execute: (args) => run(args, 'execute'),
    subscribe: (args) => run(args, 'subscribe'),
    onNext(_context, _id, _payload, args, result) {
      if (result.errors === undefined) return undefined as never;
      const facts = prepared.get(args.contextValue as object)?.facts;
      const errors = result.errors.map((error) => withoutHttp(mask(error, facts)));
      return { ...result, errors } as never;
    },
    onError: (_context, _id, _payload, errors) =>
      errors.map((error) => withoutHttp(error instanceof GraphQLError ? mask(error) : error)) as never,
    onComplete({ extra: { connection } }, id) {
      connection.operations.get(id)?.abort();
      connection.operations.delete(id);
    },
  };

  return {
    hooks,
    /** A generator that waits ends only when its wait does: the signal must go before graphql-ws asks it to return. */
    noticeComplete(connection: Connection, message: string): void {
      if (message.length > LONGEST_COMPLETE || !message.includes('"complete"')) return;
      try {
        const { type, id } = JSON.parse(message) as { type?: unknown; id?: unknown };
        if (type === 'complete' && typeof id === 'string') connection.operations.get(id)?.abort();
      } catch {
        // graphql-ws closes the socket for it.
      }
    },
    abortAll(connection: Connection): void {
      for (const controller of connection.operations.values()) controller.abort();
      connection.operations.clear();
    },
  };
}
