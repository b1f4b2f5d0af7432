import {
  getOperationAST,
  GraphQLError,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import type { ServerOptions } from 'graphql-ws';
import { isAsyncIterable } from 'graphql-yoga';
import type { WebSocket } from 'ws';
import type { Actor } from '../db/context.ts';
import { AppError } from '../errors.ts';
import { withoutHttp } from '../graphql/mask.ts';
import { assertParams } from '../graphql/plugins.ts';
import type { GraphQLServer, RequestFacts } from '../graphql/server.ts';
import type { Log } from '../log.ts';
import type { SocketLimits } from './limits.ts';
import { shuttingDown } from './stopping.ts';

interface Operation {
  readonly controller: AbortController;
  /** Characters of the message it came in. */
  readonly length: number;
}

/** One socket, from upgrade to close. */
export interface Connection {
  readonly id: string;
  readonly socket: WebSocket;
  readonly address: string;
  readonly baseUrl: string;
  readonly log: Log;
  /** Known after connection_init. */
  actor: Actor | undefined;
  readonly operations: Map<string, Operation>;
  /** Characters of the message that is being handled. */
  arrived: number;
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
  connection.operations.get(id)?.controller.abort();
  connection.operations.set(id, { controller, length: connection.arrived });
  const actor = connection.actor ?? { kind: 'anonymous', address };
  return { actor, requestId: connection.id, signal: controller.signal, log, baseUrl, address };
}

function lengthOf({ operations }: Connection): number {
  let sum = 0;
  for (const { length } of operations.values()) sum += length;
  return sum;
}

/** Takes out what no variable of the operation bears: it is kept as long as the operation runs. */
function declaredOnly(
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Record<string, unknown> | null | undefined,
): Record<string, unknown> {
  const names = variableDefinitions.map(({ variable }) => variable.name.value);
  const given = names.filter((name) => Object.hasOwn(variables ?? {}, name));
  return Object.fromEntries(given.map((name) => [name, variables?.[name]]));
}

/**
 * Runs the operations of sockets through Yoga's plugins, so that what holds over HTTP holds here.
 *
 * @param limits.operations of one socket at once.
 * @param limits.messageBytes characters of the messages that they came in, together: all of it is kept until they end.
 */
export function createOperations(
  { yoga, mask }: GraphQLServer,
  limits: Pick<SocketLimits, 'operations' | 'messageBytes'>,
) {
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
        if (Object.keys(subscriptions).length > limits.operations) {
          throw new AppError('RATE_LIMITED', `A socket carries at most ${limits.operations} operations at once.`);
        }
        if (lengthOf(connection) > limits.messageBytes) {
          throw new AppError('RATE_LIMITED', 'The operations of this socket are too long together. End one first.');
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
        const operation = getOperationAST(document, operationName);
        if (operation == null) {
          throw new AppError('BAD_USER_INPUT', 'The document has no such operation, or several and no name was given.');
        }
        const variableValues = declaredOnly(operation, variables);
        Object.assign(params, { variables: variableValues, extensions: undefined });
        const contextValue = (await enveloped.contextFactory()) as object;
        prepared.set(contextValue, { enveloped, facts });
        return { schema, document, operationName, variableValues, contextValue };
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
      connection.operations.get(id)?.controller.abort();
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
        if (type === 'complete' && typeof id === 'string') connection.operations.get(id)?.controller.abort();
      } catch {
        // graphql-ws closes the socket for it.
      }
    },
    abortAll(connection: Connection): void {
      for (const { controller } of connection.operations.values()) controller.abort();
      connection.operations.clear();
    },
  };
}
