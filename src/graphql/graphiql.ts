import type { renderGraphiQL } from '@graphql-yoga/render-graphiql';

/**
 * GraphiQL sends what stands in its headers editor with a query, but opens a WebSocket without it. The editor's text
 * is in the local storage, and `authorization` goes where graphql-transport-ws has it: the payload of connection_init.
 */
const SIGN_IN_SOCKETS = `
  window.WebSocket = class extends WebSocket {
    send(data) {
      const message = JSON.parse(data);
      if (message.type === 'connection_init') {
        let headers = {};
        try {
          headers = JSON.parse(localStorage.getItem('graphiql:headers') || '{}');
        } catch {}
        for (const [name, value] of Object.entries(headers)) {
          if (/^authorization$/i.test(name) && /^bearer +\\S/i.test(value)) message.payload = { authorization: value };
        }
      }
      super.send(JSON.stringify(message));
    }
  };
`;

/**
 * GraphiQL from the package, without a CDN; its subscriptions are signed in as its queries are. The package is loaded at
 * the first visit: it holds the whole page as a text and takes 50 MB of memory.
 */
export const renderPage = async (options: Parameters<typeof renderGraphiQL>[0]): Promise<string> => {
  const graphiql = await import('@graphql-yoga/render-graphiql');
  return graphiql.renderGraphiQL(options).replace('<head>', () => `<head><script>${SIGN_IN_SOCKETS}</script>`);
};
