/**
 * What most services under test are started with: with the nets that ship with Heirloom each would take seconds of both cores for its
 * first photo. `shipped-nets.test.ts` and `npm run smoke` run with them.
 */
export const WITHOUT_NETS = { USE_NETS: 'false' } as const;
