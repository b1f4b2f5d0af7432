import { ask } from './service.ts';

const RESTORE = `mutation ($file: Upload!) { restorePhoto(input: { file: $file }) { photo { id } restoration { id } } }`;
const FOLLOW = 'subscription ($id: ID!) { restorationUpdated(id: $id) { status } }';
const PHOTO = 'query ($id: ID!) { photo(id: $id) { renditions { name } } }';
const EAGER = 4;

/**
 * Uploads a photo, restores it with `auto`, and waits until the result and the renditions of both are there.
 *
 * @returns seconds.
 * @throws Error when it does not succeed.
 */
export async function restore(url: string, token: string, jpeg: Buffer): Promise<number> {
  const began = performance.now();
  const headers = { authorization: `Bearer ${token}` };
  const form = new FormData();
  form.set('operations', JSON.stringify({ query: RESTORE, variables: { file: null } }));
  form.set('map', '{"0":["variables.file"]}');
  form.set('0', new File([jpeg as Buffer<ArrayBuffer>], 'scan.jpg', { type: 'image/jpeg' }));
  const answer = await fetch(`${url}/graphql`, { method: 'POST', body: form, headers });
  const { data, errors } = (await answer.json()) as { data: any; errors?: { message: string }[] };
  if (errors !== undefined) throw new Error(errors[0]?.message);
  const { photo, restoration } = data.restorePhoto;

  const events = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: FOLLOW, variables: { id: restoration.id } }),
  });
  if (!(await events.text()).includes('SUCCEEDED')) throw new Error('The restoration did not succeed.');
  while ((await ask(url, PHOTO, { id: photo.id }, token)).photo.renditions.length < EAGER) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return (performance.now() - began) / 1000;
}
