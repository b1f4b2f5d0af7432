import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { buildSchema, isEnumType, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GRAPHIQL_TABS } from '../src/web/graphiql-tabs.ts';
import { startApp, type TestApp } from './helpers/app.ts';
import { send } from './helpers/raw-http.ts';

const WEB = join(import.meta.dirname, '..', 'src', 'web');
const schema = buildSchema(readFileSync(join(import.meta.dirname, '..', 'schema.graphql'), 'utf8'));
const scripts = readdirSync(WEB).filter((name) => name.endsWith('.js'));
const read = (name: string) => readFileSync(join(WEB, name), 'utf8');
const load = (name: string): Promise<any> => import(new URL(`../src/web/${name}`, import.meta.url).href);

const problems = (document: string) => validate(schema, parse(document)).map(({ message }) => message);
const valuesOf = (name: string) => {
  const type = schema.getType(name);
  if (!isEnumType(type)) throw new Error(`${name} is no enum`);
  return type.getValues().map((value) => value.name);
};

describe('the page at /', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  it('is served as HTML under a policy that allows nothing inline and nothing from elsewhere', async () => {
    const { status, headers, text } = await send(`${app.url}/`);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(text).toContain('<title>Heirloom</title>');
    expect(text).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|\sstyle=/);
  });

  it('finds every script and style that it names, with the right type', async () => {
    const { text } = await send(`${app.url}/`);
    const named = [...text.matchAll(/(?:src|href)="(web\/[^"]+)"/g)].map(([, path]) => path as string);
    expect(named).toContain('web/app.js');
    const imported = scripts.flatMap((name) =>
      [...read(name).matchAll(/from '\.\/([^']+)'/g)].map(([, path]) => `web/${path}`),
    );
    for (const path of new Set([...named, ...imported])) {
      const { status, headers } = await send(`${app.url}/${path}`);
      expect([path, status]).toEqual([path, 200]);
      expect(headers['content-type']).toMatch(path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
    }
  });

  it('serves nothing else from its folder', async () => {
    for (const path of ['web/pages.ts', 'web/graphiql-tabs.ts', 'web/', 'web/../app.ts', 'web/%2e%2e/app.ts']) {
      expect([path, (await send(`${app.url}/${path}`)).status]).toEqual([path, 404]);
    }
  });

  it('names no address outside this service', () => {
    const notFetched = /http:\/\/www\.w3\.org\/2000\/svg|^\s*(?:\*|\/\/).*$/gm;
    for (const name of readdirSync(WEB).filter((file) => /\.(?:html|css|js)$/.test(file))) {
      const text = read(name)
        .replaceAll(/\/\*[\s\S]*?\*\//g, '')
        .replaceAll(notFetched, '');
      expect([name, text.match(/(?:https?:)?\/\/[\w-]+\.[\w.]+/g)]).toEqual([name, null]);
    }
  });

  it('GraphiQL is one page that loads nothing, and signs its sockets in', async () => {
    const { status, headers, text } = await send(`${app.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    const head = text.slice(0, text.indexOf('</head>'));
    expect(head).toContain('connection_init');
    expect(text.slice(0, 20_000) + text.slice(-2_000)).not.toMatch(/<(?:script|link)[^>]+(?:src|href)="(?!data:)/);
    for (const { query } of GRAPHIQL_TABS) expect(text).toContain(JSON.stringify(query));
  });

  it('never makes HTML of what it was told', () => {
    for (const name of scripts) {
      expect([
        name,
        read(name).match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/),
      ]).toEqual([name, null]);
    }
  });

  it.each(scripts)('%s is a script that parses', (name) => {
    expect(() => stripTypeScriptTypes(read(name))).not.toThrow();
  });

  it('asks only for what the schema has', async () => {
    const documents: Record<string, string> = await load('documents.js');
    expect(Object.keys(documents).length).toBeGreaterThan(8);
    for (const [name, document] of Object.entries(documents)) expect([name, problems(document)]).toEqual([name, []]);
    const inline = scripts.flatMap(
      (name) => read(name).match(/(?<=`)(?:query|mutation|subscription)\b[^`$]*(?=`)/g) ?? [],
    );
    for (const document of inline) expect([document, problems(document)]).toEqual([document, []]);
  });

  it('has plain words for every stage, status and step', async () => {
    const { stageInWords, statusInWords, stepInWords } = await load('words.js');
    for (const stage of valuesOf('RestorationStage')) {
      expect([stage, stageInWords({ status: 'RUNNING', stage })]).not.toEqual([stage, 'Working on it']);
    }
    for (const status of valuesOf('RestorationStatus')) expect(statusInWords(status)).not.toBe(status);
    expect(stepInWords('fill-scratches')).toBe('Fill scratches');
  });

  it.each([
    [999, '1 kB'],
    [46_000, '46 kB'],
    [20_000_000, '20 MB'],
    [2_480_000, '2.5 MB'],
  ])('says %i bytes as %s', async (bytes, said) => {
    const { bytesInWords } = await load('words.js');
    expect(bytesInWords(bytes)).toBe(said);
  });

  it('sends a few files at a time, in order, and none that was cancelled before its turn', async () => {
    const { createLane } = await load('lane.js');
    const lane = createLane(2);
    const started: number[] = [];
    const ends: (() => void)[] = [];
    const cancel = new AbortController();
    const runs = [0, 1, 2, 3].map((n) =>
      lane(
        () =>
          new Promise<void>((resolve) => {
            started.push(n);
            ends.push(resolve);
          }),
        n === 2 ? cancel.signal : new AbortController().signal,
      ).catch((error: Error) => error.name),
    );
    expect(started).toEqual([0, 1]);
    cancel.abort();
    ends[0]?.();
    await runs[0];
    expect(started).toEqual([0, 1, 3]);
    ends.forEach((end) => end());
    expect(await Promise.all(runs)).toEqual([undefined, undefined, 'AbortError', undefined]);
  });
});

describe('the tabs of GraphiQL', () => {
  it.each(GRAPHIQL_TABS.map((tab) => [/(?:mutation|query|subscription) (\w+)/.exec(tab.query)?.[1], tab] as const))(
    '%s fits the schema, and its variables and headers are JSON that fit it',
    (_name, { query, variables = '{}', headers = '{}' }) => {
      expect(problems(query)).toEqual([]);
      const declared = parse(query).definitions.flatMap((definition) =>
        definition.kind === 'OperationDefinition' ? (definition.variableDefinitions ?? []) : [],
      );
      expect(Object.keys(JSON.parse(variables))).toEqual(declared.map(({ variable }) => variable.name.value));
      expect(Object.values(JSON.parse(headers)).every((value) => typeof value === 'string')).toBe(true);
    },
  );

  it('walk from a session over an upload by curl to the history', () => {
    const all = GRAPHIQL_TABS.map(({ query }) => query).join('\n');
    const order = ['startGuestSession', 'models(', 'curl ', 'restorePhoto(', 'restorationUpdated(', 'history('];
    const places = order.map((word) => all.indexOf(word));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(-1);
  });

  it('offer a curl command whose operation fits the schema', () => {
    const line = GRAPHIQL_TABS.flatMap(({ query }) => query.split('\n')).find((text) => text.startsWith('# curl'));
    const operations = JSON.parse(/operations='([^']+)'/.exec(line ?? '')?.[1] ?? '{}');
    expect(problems(operations.query)).toEqual([]);
    const map = JSON.parse(/map='([^']+)'/.exec(line ?? '')?.[1] ?? '{}');
    expect(map).toEqual({ 0: ['variables.file'] });
    expect(operations.variables).toEqual({ file: null });
  });

  it('load without a token: an empty one counts as none', async () => {
    const app = await startApp();
    try {
      const { headers = '{}' } = GRAPHIQL_TABS[2] ?? {};
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { ...JSON.parse(headers), 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ __schema { queryType { name } } }' }),
      });
      expect(await response.json()).toEqual({ data: { __schema: { queryType: { name: 'Query' } } } });
    } finally {
      await app.close();
    }
  });
});
