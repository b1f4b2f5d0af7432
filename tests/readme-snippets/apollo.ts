// npm install @apollo/client apollo-upload-client graphql graphql-ws rxjs
// TypeScript: set allowJs and maxNodeModuleJsDepth (10), or apollo-upload-client's types are not found.
import { ApolloClient, ApolloLink, gql, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';

export function connect(token: string, uri = 'http://127.0.0.1:4000/graphql') {
  const headers = { authorization: `Bearer ${token}` };
  const socket = createClient({ url: uri.replace('http', 'ws'), connectionParams: headers });
  const link = ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(socket),
    new UploadHttpLink({ uri, headers }),
  );
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

const RESTORE = gql('mutation ($file: Upload!) { restorePhoto(input: { file: $file }) { restoration { id } } }');
const FOLLOW = gql(`subscription ($id: ID!) {
  restorationUpdated(id: $id) { stage percent restoration { id status url } }
}`);

/** Restores a photo, tells `show` how far it is, and answers the restoration with its `status` and `url`. */
export async function restore(client: ApolloClient, file: File, show: (update: any) => void) {
  const { data } = await client.mutate<any>({ mutation: RESTORE, variables: { file } });
  let { restoration } = data.restorePhoto;
  const updates = client.subscribe<any>({ query: FOLLOW, variables: { id: restoration.id } });
  await updates.forEach((result) => {
    if (result.error) throw result.error;
    show(result.data.restorationUpdated);
    restoration = result.data.restorationUpdated.restoration;
  });
  return restoration;
}
