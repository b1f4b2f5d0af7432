import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCustomModels } from '../src/models/custom.ts';
import { checkOptions } from '../src/models/options.ts';
import { soon } from '../src/models/patience.ts';
import type { Provider } from '../src/providers/provider.ts';
import { appForTest, RESTORE } from './helpers/app.ts';
import { photoBytes } from './helpers/photos.ts';

const SWIN2SR = {
  id: 'swin2sr-2x',
  name: 'Swin2SR 2x',
  model: 'caidas/swin2SR-classical-sr-x2-64',
  category: 'upscale',
  description: 'Fast 2x upscaling',
  parameters: { scale: 2 },
  tags: ['fast'],
  version: '1.0',
};

const TUNABLE = {
  id: 'tunable',
  name: 'Tunable',
  provider: 'somewhere',
  model: 'x',
  capability: 'DENOISE',
  options: ['strength'],
  parameters: {
    prompt: 'restore this photo',
    steps: {
      type: 'integer',
      default: 20,
      minimum: 1,
      maximum: 50,
    },
    mode: {
      type: 'string',
      enum: ['soft', 'hard'],
    },
  },
};

describe('MODELS_CONFIG', () => {
  it('takes JSON text or the path of a file, one entry or several', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-models-'));
    const path = join(folder, 'models.json');
    await writeFile(path, JSON.stringify([SWIN2SR]));
    expect(readCustomModels(path)).toEqual(readCustomModels(JSON.stringify(SWIN2SR)));
    await rm(folder, { recursive: true });
    expect(readCustomModels(undefined)).toEqual([]);
  });

  it('takes an entry without provider for huggingface, and bare parameters for fixed values', () => {
    const [model] = readCustomModels(JSON.stringify(SWIN2SR));
    expect(model).toMatchObject({
      provider: 'huggingface',
      capability: 'UPSCALE',
      fixedParameters: { scale: 2 },
      parameters: {},
      upscales: [2],
    });
  });

  it('leaves out what is not enabled', () => {
    expect(readCustomModels(JSON.stringify({ ...SWIN2SR, enabled: false }))).toEqual([]);
  });

  it('names each wrong field with its entry', () => {
    const entries = [
      { ...SWIN2SR, model: '' },
      { ...SWIN2SR, id: 'Not Good' },
      { ...SWIN2SR, id: 'b', colour: 'red' },
      7,
    ];
    expect(() => readCustomModels(JSON.stringify(entries))).toThrow(
      /swin2sr-2x: model: [^]*Not Good: id: [^]*b: entry: [^]*colour[^]*entry 3: /,
    );
    expect(() => readCustomModels('[{"id": ')).toThrow('MODELS_CONFIG: cannot be read as JSON');
    expect(() => readCustomModels('/no/such/file.json')).toThrow('MODELS_CONFIG: cannot be read as JSON');
  });

  it('takes no schema that is wrong for a fixed value', () => {
    const withParameter = (schema: object) => JSON.stringify({ ...TUNABLE, parameters: { steps: schema } });
    expect(() => readCustomModels(withParameter({ type: 'number', min: 0 }))).toThrow(
      /tunable: parameters\.steps: .*min/,
    );
    expect(() => readCustomModels(withParameter({ type: 'integer', default: 9, maximum: 5 }))).toThrow(
      'tunable: parameters.steps.default: steps must be between -Infinity and 5.',
    );
    const [model] = readCustomModels(withParameter({ type: 'lanczos', taps: 3 }));
    expect(model?.fixedParameters).toEqual({ steps: { type: 'lanczos', taps: 3 } });
  });

  it('takes what the model takes that it stands for, and costs the same, unless it says otherwise', () => {
    const weight = { type: 'number', default: 0.5, minimum: 0, maximum: 1, description: 'How much.' } as const;
    const face = {
      name: 'face',
      description: 'Draws faces anew.',
      options: ['strength'],
      upscales: [2, 1],
      parameters: { weight, steps: { ...weight, type: 'integer', default: 1 } },
      bytesPerPixel: { input: 16, output: 12 },
      licence: 'MIT',
    };
    const providers = [{ id: 'faces', models: () => [face] }] as unknown as Provider[];
    const alias = (fields: object) =>
      readCustomModels(
        JSON.stringify({ id: 'mine', name: 'Mine', provider: 'faces', model: 'face', category: 'face', ...fields }),
        providers,
      )[0]!;
    const { description, options, upscales, bytesPerPixel, licence } = face;
    expect(alias({})).toMatchObject({ description, options, upscales, bytesPerPixel, licence, parameters: { weight } });
    expect(checkOptions(alias({}), { strength: 0.5, parameters: { weight: 0.7 } })).toMatchObject({
      strength: 0.5,
      upscale: 2,
      parameters: { weight: 0.7, steps: 1 },
    });
    const own = alias({
      options: [],
      licence: 'Apache-2.0',
      description: 'Ours.',
      parameters: { weight: 0.9, scale: 1 },
    });
    expect(own).toMatchObject({ options: [], licence: 'Apache-2.0', description: 'Ours.', upscales: [1] });
    expect(Object.keys(own.parameters)).toEqual(['steps']);
    expect(own.fixedParameters).toEqual({ weight: 0.9, scale: 1 });
    const narrow = alias({ parameters: { weight: { type: 'number', default: 0.8, minimum: 0.5, maximum: 1 } } });
    expect(narrow.parameters['weight']).toMatchObject({ default: 0.8, minimum: 0.5 });
    expect(() => alias({ parameters: { weight: 7 } })).toThrow(
      'MODELS_CONFIG: mine: parameters.weight: weight must be between 0 and 1.',
    );
  });

  it('checks what a request sets against the schema, and fills in the defaults', () => {
    const [model] = readCustomModels(JSON.stringify(TUNABLE));
    if (model === undefined) throw new Error('no model');
    expect(checkOptions(model, { strength: 0.5, parameters: { steps: 30 } })).toEqual({
      strength: 0.5,
      upscale: 1,
      quality: 'BALANCED',
      repair: 'AUTO',
      ownMask: false,
      parameters: {
        prompt: 'restore this photo',
        steps: 30,
      },
    });
    expect(checkOptions(model, {}).parameters).toEqual({ prompt: 'restore this photo', steps: 20 });
    const refused: [object, string][] = [
      [{ parameters: { steps: 51 } }, 'steps must be between 1 and 50.'],
      [{ parameters: { steps: 1.5 } }, 'steps must be of type integer.'],
      [{ parameters: { mode: 'odd' } }, 'mode must be one of soft, hard.'],
      [{ parameters: { prompt: 'mine' } }, 'The model tunable has no parameter prompt.'],
      [{ parameters: { constructor: 1 } }, 'The model tunable has no parameter constructor.'],
      [{ strength: 1.1 }, 'strength must be between 0 and 1.'],
      [{ strength: Number.NaN }, 'strength must be between 0 and 1.'],
      [{ upscale: 2 }, 'The model tunable does not take upscale.'],
    ];
    for (const [options, message] of refused) expect(() => checkOptions(model, options)).toThrow(message);
  });
});

describe('a question that is answered soon', () => {
  const { signal } = new AbortController();
  const never = () => new Promise<string>(() => {});

  it('has the answer, or the late one, or fails as it does', async () => {
    expect(await soon(1000, async () => 'known', signal, 'late')).toBe('known');
    expect(await soon(20, never, signal, 'late')).toBe('late');
    const broken = async () => Promise.reject(new Error('broken'));
    await expect(soon(1000, broken, signal, 'late')).rejects.toThrow('broken');
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(soon(1000, never, gone, 'late')).rejects.toThrow('gone');
    await expect(soon(1000, broken, gone, 'late')).rejects.toThrow('gone');
  });
});

describe('the registry', () => {
  const LIST = '{ models { id provider capability isDefault status { available reason } } }';

  it('lists built-in and configured models to everybody, with the reason where one is not available', async () => {
    const app = await appForTest({ MODELS_CONFIG: JSON.stringify(SWIN2SR) });
    const { models } = await app.ok(LIST);
    expect(models.map(({ id }: any) => id)).toEqual([
      'auto',
      'repair',
      'denoise',
      'tone',
      'upscale-2x',
      'upscale-4x',
      'swin2sr-2x',
    ]);
    expect(models[0]).toMatchObject({
      provider: 'builtin',
      isDefault: true,
      status: { available: true, reason: null },
    });
    expect(models[6].status).toEqual({
      available: false,
      reason: 'The provider huggingface is not configured on this server.',
    });
    const filtered = await app.ok(
      '{ models(capability: UPSCALE, availableOnly: true) { id options } model(id: "nope") { id } }',
    );
    const options = ['strength', 'quality'];
    expect(filtered).toEqual({
      models: [
        { id: 'upscale-2x', options },
        { id: 'upscale-4x', options },
      ],
      model: null,
    });
  });

  it('says of a model that can be used what it has to do without', async () => {
    const app = await appForTest({ MODELS_CONFIG: JSON.stringify(SWIN2SR) });
    const { models } = await app.ok('{ models { id status { available note } } }');
    const notes = Object.fromEntries(models.map(({ id, status }: any) => [id, status.note]));
    expect(notes['auto']).toMatch(/switched off \(USE_NETS\)/);
    expect([notes['tone'], notes['swin2sr-2x']]).toEqual([null, null]);
  });

  it('restores with an entry for a model of Heirloom as with that model', async () => {
    const entry = { id: 'mine', name: 'Mine', provider: 'builtin', model: 'upscale-2x', category: 'upscale' };
    const app = await appForTest({ MODELS_CONFIG: JSON.stringify(entry) });
    const token = await app.guest();
    const file = { bytes: await photoBytes('chelsea.png') };
    const { data, errors } = await app.upload(
      RESTORE,
      { file },
      { modelId: 'mine', options: { strength: 0.5 } },
      token,
    );
    expect(errors).toEqual([]);
    const ended = await app.ended(data.restorePhoto.restoration.id, token);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', width: 902, report: { steps: [{ strength: 0.5 }] } });
  });

  it('refuses a restoration with a model that is not there, or not available, and keeps no photo', async () => {
    const app = await appForTest({ MODELS_CONFIG: JSON.stringify(SWIN2SR) });
    const token = await app.guest();
    const file = { bytes: await photoBytes('chelsea.png') };
    const unknown = await app.upload(RESTORE, { file }, { modelId: 'nope' }, token);
    expect(unknown.errors[0]?.extensions).toMatchObject({ code: 'UNKNOWN_MODEL', field: 'input.modelId' });
    const unavailable = await app.upload(RESTORE, { file }, { modelId: 'swin2sr-2x' }, token);
    expect([unavailable.status, unavailable.errors[0]?.extensions.code]).toEqual([503, 'MODEL_UNAVAILABLE']);
    expect(await app.ok('{ viewer { photos { totalCount } } }', {}, token)).toEqual({
      viewer: { photos: { totalCount: 0 } },
    });
  });

  it('shows itself only to people who are signed in under MODELS_REQUIRE_AUTH', async () => {
    const app = await appForTest({ MODELS_REQUIRE_AUTH: 'true' });
    const { status, errors } = await app.request(LIST);
    expect([status, errors[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect((await app.ok(LIST, {}, await app.guest())).models).toHaveLength(6);
  });

  it.each([
    [
      'a model its provider does not have',
      { MODELS_CONFIG: JSON.stringify({ ...SWIN2SR, provider: 'builtin', model: 'magic' }) },
      'the provider builtin has auto, repair, denoise, tone, upscale-2x, upscale-4x, but no magic',
    ],
    ['an unknown default', { DEFAULT_MODEL: 'nope' }, 'DEFAULT_MODEL is nope'],
    [
      'a name that is taken',
      { MODELS_CONFIG: JSON.stringify({ ...SWIN2SR, id: 'auto' }) },
      'a model of this name exists already',
    ],
  ])('refuses to start with %s', async (_name, env, message) => {
    await expect(appForTest(env)).rejects.toThrow(message);
  });
});
