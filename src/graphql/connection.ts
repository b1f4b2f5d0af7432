import { cursorOf, type Page } from '../db/keyset.ts';

/** A page of rows in the shape of a Relay connection. */
export function toConnection<T extends { id: string }>(page: Page<T>) {
  const edges = page.rows.map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: page.hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () => page.totalCount(),
  };
}
