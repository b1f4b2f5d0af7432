// npm install @urql/core graphql graphql-ws
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';

export function connect(token: string, url = 'http://127.0.0.1:4000/graphql'): Client {
  const headers = { authorization: `Bearer ${token}` };
  const socket = createClient({ url: url.replace('http', 'ws'), connectionParams: headers });
  const live = subscriptionExchange({
    forwardSubscription: ({ query = '', variables }) => ({
      subscribe: (sink: any) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
    }),
  });
  return new Client({ url, exchanges: [fetchExchange, live], fetchOptions: { headers } });
}

const RESTORE = 'mutation ($file: Upload!) { restorePhoto(input: { file: $file }) { restoration { id } } }';
const FOLLOW = `subscription ($id: ID!) {
  restorationUpdated(id: $id) { stage percent restoration { id status url } }
}`;

/** Restores a photo, tells `show` how far it is, and answers the restoration with its `status` and `url`. */
export async function restore(client: Client, file: File, show: (update: any) => void) {
  const { data, error } = await client.mutation(RESTORE, { file });
  if (error) throw error;
  const { id } = data.restorePhoto.restoration;
  return new Promise<any>((resolve, reject) => {
    client.subscription(FOLLOW, { id }).subscribe((result) => {
      if (result.error) reject(result.error);
      else if (result.hasNext) show(result.data.restorationUpdated);
      else resolve(result.data.restorationUpdated.restoration);
    });
  });
}
