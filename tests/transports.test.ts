import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEdge, type Edge } from './helpers/edge.ts';
import { send } from './helpers/raw-http.ts';
import { openSession } from './helpers/raw-socket.ts';

let edge: Edge;
let production: Edge;
beforeAll(async () => {
  const limits = { openConnections: { perAddress: 200, perSession: 200 } };
  edge = await startEdge({ limits });
  production = await startEdge({
    limits,
    config: { mode: 'production', graphiql: false, introspection: false, publicUrl: 'https://photos.example.org' },
  });
});
afterAll(() => Promise.all([edge.stop(), production.stop()]));

interface Operation {
  query: string;
  variables?: unknown;
  operationName?: string;
}

const codeIn = (text: string): string => /"code":"(\w+)"/.exec(text)?.[1] ?? `no code in ${text.slice(0, 200)}`;
const post = async ({ url }: Edge, accept: string, operation: Operation): Promise<string> => {
  const headers = { 'content-type': 'application/json', accept, authorization: 'Bearer ann' };
  const answer = await send(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify(operation) });
  return answer.text;
};

const get = async ({ url }: Edge, accept: string, { query, variables = {}, operationName = '' }: Operation) => {
  const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables), operationName });
  const headers = { accept, authorization: 'Bearer ann' };
  return (await send(`${url}/graphql?${parameters}`, { headers })).text;
};

/** Each answers what came back, whatever its form. */
const TRANSPORTS = {
  POST: (on: Edge, operation: Operation) => post(on, 'application/graphql-response+json', operation),
  'POST, JSON': (on: Edge, operation: Operation) => post(on, 'application/json', operation),
  SSE: (on: Edge, operation: Operation) => post(on, 'text/event-stream', operation),
  GET: (on: Edge, operation: Operation) => get(on, 'application/graphql-response+json', operation),
  'SSE by GET': (on: Edge, operation: Operation) => get(on, 'text/event-stream', operation),
  WebSocket: async ({ url }: Edge, operation: Operation) => {
    const session = await openSession(url, 'ann');
    session.send({ type: 'subscribe', id: '1', payload: operation });
    const answer = await session.next(({ id }) => id === '1');
    session.socket.terminate();
    await session.closed;
    return JSON.stringify(answer);
  },
} as const;

const times = (n: number, text: (index: number) => string) =>
  Array.from({ length: n }, (_, index) => text(index)).join(' ');
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
const VALIDATION = 'GRAPHQL_VALIDATION_FAILED';

const HOSTILE: Record<string, [code: string, operation: Operation]> = {
  depth: [VALIDATION, { query: `{ node { ${'child { '.repeat(11)} id ${'}'.repeat(11)} } }` }],
  'depth through fragments': [
    VALIDATION,
    {
      query: `{ node { ...f0 } } ${times(6, (n) => `fragment f${n} on Node { child { child { ...f${n + 1} } } }`)} fragment f6 on Node { id }`,
    },
  ],
  cost: [VALIDATION, { query: '{ node { children(first: 1000000000) { edges { node { id } } } } }' }],
  'cost by variable': [
    VALIDATION,
    {
      query:
        'query ($n: Int) { node { children(first: $n) { edges { node { children(first: $n) { edges { node { id } } } } } } } }',
      variables: { n: 1000 },
    },
  ],
  aliases: [VALIDATION, { query: `{ ${times(31, (n) => `a${n}: __typename`)} }` }],
  directives: [VALIDATION, { query: `{ hello ${times(51, () => '@skip(if: false)')} }` }],
  characters: [VALIDATION, { query: `{ hello } # ${'x'.repeat(15_000)}` }],
  tokens: ['GRAPHQL_PARSE_FAILED', { query: `{ ${times(1001, () => 'hello')} }` }],
  'a fragment cycle': [VALIDATION, { query: '{ node { ...f } } fragment f on Node { id ...f }' }],
  'a fragment bomb': [
    VALIDATION,
    {
      query: `{ node { ...f0 } } ${times(30, (n) => `fragment f${n} on Node { ...f${n + 1} ...f${n + 1} }`)} fragment f30 on Node { children(first: 10) { edges { node { id } } } }`,
    },
  ],
  'an unknown field': [VALIDATION, { query: '{ nothing }' }],
  'no document': ['GRAPHQL_PARSE_FAILED', { query: '{ hello' }],
  'an unknown operation': ['BAD_USER_INPUT', { query: 'query A { hello }', operationName: 'B' }],
  'variables too deep': ['BAD_USER_INPUT', { query: '{ hello }', variables: deep(40) }],
  'a missing variable': ['BAD_USER_INPUT', { query: 'query ($n: Int!) { big(bytes: $n) }' }],
  'a wrong variable': ['BAD_USER_INPUT', { query: 'query ($n: Int!) { big(bytes: $n) }', variables: { n: 'x' } }],
  'U+0000': ['BAD_USER_INPUT', { query: '{ even(value: "\\u0000") }' }],
  'U+0000 in a variable': ['BAD_USER_INPUT', { query: 'query ($v: Even) { even(value: $v) }', variables: { v: '\0' } }],
  'a refusal of a service': ['CONFLICT', { query: '{ refuse(code: "CONFLICT") }' }],
  'a fault of ours': ['INTERNAL_SERVER_ERROR', { query: '{ crash }' }],
  'a foreign subscription': ['NOT_FOUND', { query: 'subscription { denied { n } }' }],
  'a subscription with two roots': [VALIDATION, { query: 'subscription { a: denied { n } b: denied { n } }' }],
  'a subscription with aliases': [VALIDATION, { query: `subscription { denied { ${times(31, (n) => `a${n}: n`)} } }` }],
  'a subscription with directives': [
    VALIDATION,
    { query: `subscription { denied ${times(51, () => '@include(if: true)')} { n } }` },
  ],
  'a subscription with tokens': [
    'GRAPHQL_PARSE_FAILED',
    { query: `subscription { denied { ${times(1001, () => 'n')} } }` },
  ],
};

const CLOSED: Record<string, [code: string, operation: Operation]> = {
  'the schema': [VALIDATION, { query: '{ __schema { types { name } } }' }],
  'one type': [VALIDATION, { query: '{ __type(name: "Query") { name } }' }],
  'the schema within a subscription': [VALIDATION, { query: 'subscription { __schema { types { name } } }' }],
};

describe('C37: what is refused over HTTP is refused with the same code over every transport', () => {
  const cases = [
    ...Object.entries(HOSTILE).map(([name, expected]) => ({ name, expected, on: () => edge })),
    ...Object.entries(CLOSED).map(([name, expected]) => ({ name, expected, on: () => production })),
  ];
  it.each(cases)('$name', async ({ expected: [code, operation], on }) => {
    const answers = Object.entries(TRANSPORTS).map(async ([name, ask]) => [name, codeIn(await ask(on(), operation))]);
    expect(Object.fromEntries(await Promise.all(answers))).toEqual(
      Object.fromEntries(Object.keys(TRANSPORTS).map((name) => [name, code])),
    );
  });

  it('what is at the limit passes everywhere', async () => {
    const operation = {
      query: `{ ${times(30, (n) => `a${n}: hello`)} node { ${'child { '.repeat(10)} id ${'}'.repeat(10)} } }`,
    };
    for (const ask of Object.values(TRANSPORTS)) {
      const text = await ask(edge, operation);
      expect(text).toContain('"a29":"hello"');
      expect(text).not.toContain('errors');
    }
  });
});
