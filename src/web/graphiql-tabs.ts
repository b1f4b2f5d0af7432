/** What a newcomer sees in GraphiQL: from a guest session to the history, one tab each. */
export const GRAPHIQL_TABS: { query: string; variables?: string }[] = [];
