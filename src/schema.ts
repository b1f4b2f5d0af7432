import './graphql/scalars.ts';
import './auth/mutations.ts';
import './photos/mutations.ts';
import './photos/diagnosis-schema.ts';
import './models/schema.ts';
import './restorations/mask-schema.ts';
import './restorations/mutations.ts';
import './restorations/subscriptions.ts';
import './ops/schema.ts';
import { builder } from './graphql/builder.ts';
import { resolveIdsAtOnce } from './graphql/node-ids.ts';

/** The whole API. Every feature hangs its types onto the builder; nothing below this file imports it. */
export const schema = resolveIdsAtOnce(builder.toSchema());
