import { builder } from '../graphql/builder.ts';
import { documented } from '../graphql/documented.ts';
import { CAPABILITIES } from '../providers/provider.ts';
import type { Model, ModelStatus } from './model.ts';

const CapabilityEnum = builder.enumType('Capability', {
  description: 'What a model is for.',
  values: documented(CAPABILITIES),
});

const ModelStatusRef = builder.objectRef<ModelStatus>('ModelStatus').implement({
  description: 'Whether a model can be used now.',
  fields: (t) => ({
    available: t.exposeBoolean('available', { description: 'True when a restoration with it would start.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why not, and what to do about it.' }),
    examining: t.exposeBoolean('examining', {
      description:
        'True while it is still being found out whether it can be used: ask again in a moment. A restoration with it waits for that.',
    }),
    note: t.string({
      nullable: true,
      description:
        'What it has to do without though it can be used, and what happens instead; null where it lacks nothing. When asked first, the nets that come with Heirloom are loaded and tried for it.',
      resolve: ({ available, model }, _args, { services, signal }) =>
        available ? services.models.note(model, signal) : null,
    }),
  }),
});

export const ModelRef = builder.objectRef<Model>('Model').implement({
  description: 'What a person picks: what it does, what it takes, which provider runs it.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Its name in requests, e.g. `auto`. Not a global id.' }),
    name: t.exposeString('name', { description: 'For people.' }),
    description: t.exposeString('description', { description: 'What it does and what it does not.' }),
    capability: t.expose('capability', { type: CapabilityEnum, description: 'What it is for.' }),
    provider: t.exposeString('provider', { description: 'Which provider runs it.' }),
    version: t.exposeString('version', { description: 'Version of the model.' }),
    licence: t.exposeString('licence', {
      nullable: true,
      description: 'SPDX id of the licence of its code or weights.',
    }),
    tags: t.stringList({ description: 'Free labels.', resolve: ({ tags }) => [...tags] }),
    options: t.stringList({
      description: 'Which of the common options it takes: `strength`, `upscale`, `quality`, `repair`, `mask`.',
      resolve: ({ options }) => [...options],
    }),
    upscales: t.intList({
      description: 'Values of `upscale` it takes, the default first.',
      resolve: ({ upscales }) => [...upscales],
    }),
    parameters: t.field({
      type: 'JSONObject',
      description: 'What `options.parameters` may say: name → type, default, minimum, maximum, enum, description.',
      resolve: ({ parameters }) => parameters as Record<string, unknown>,
    }),
    requires: t.stringList({
      description: 'What must be there for it to run.',
      resolve: ({ requires }) => [...requires],
    }),
    isDefault: t.boolean({
      description: 'True for the model that is used when a request names none.',
      resolve: ({ id }, _args, { services }) => services.models.defaultModel === id,
    }),
    status: t.field({
      type: ModelStatusRef,
      description: 'Whether it can be used now.',
      resolve: (model, _args, { services, signal }) => services.models.status(model, signal),
    }),
  }),
});

builder.queryFields((t) => ({
  models: t.field({
    type: [ModelRef],
    description: 'What there is to pick from.',
    args: {
      capability: t.arg({ type: CapabilityEnum, description: 'Only those for this.' }),
      availableOnly: t.arg.boolean({ description: 'Only those that can be used now.' }),
    },
    resolve: (_root, filter, context) => context.services.models.list(context, filter),
  }),
  model: t.field({
    type: ModelRef,
    nullable: true,
    description: 'One model; null when there is none of this name.',
    args: { id: t.arg.id({ required: true, description: 'Its name, e.g. `auto`.' }) },
    resolve: (_root, { id }, context) => context.services.models.find(context, id),
  }),
}));
