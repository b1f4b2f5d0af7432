import { ask } from './service.ts';

const RESTORE = `mutation ($file: Upload!, $options: RestorationOptionsInput) { restorePhoto(input: { file: $file, options: $options }) { photo { id } restoration { id } } }`;
const FOLLOW = 'subscription ($id: ID!) { restorationUpdated(id: $id) { status } }';
const PHOTO = 'query ($id: ID!) { photo(id: $id) { renditions { name } } }';
const EAGER = 4;

/** An upload that is to be restored, and how to hear of it. */
interface Submitted {
  readonly photoId: string;
  readonly restorationId: string;
}

/** Uploads a photo to be restored with `auto`. Throws Error when it is refused. */
export async function submit(url: string, token: string, jpeg: Buffer, options: object = {}): Promise<Submitted> {
  const form = new FormData();
  form.set('operations', JSON.stringify({ query: RESTORE, variables: { file: null, options } }));
  form.set('map', '{"0":["variables.file"]}');
  form.set('0', new File([jpeg as Buffer<ArrayBuffer>], 'scan.jpg', { type: 'image/jpeg' }));
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/graphql`, { method: 'POST', body: form, headers });
  const { data, errors } = (await answer.json()) as { data: any; errors?: { message: string }[] };
  if (errors !== undefined) throw new Error(errors[0]?.message);
  const { photo, restoration } = data.restorePhoto;
  return { photoId: photo.id, restorationId: restoration.id };
}

/** Resolves when a restoration has ended. Throws Error when it does not succeed. */
export async function succeeded(url: string, token: string, id: string): Promise<void> {
  const events = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: FOLLOW, variables: { id } }),
  });
  if (!(await events.text()).includes('SUCCEEDED')) throw new Error('The restoration did not succeed.');
}

/**
 * Uploads a photo, restores it with `auto`, and waits until the result and the renditions of both are there.
 *
 * @returns seconds.
 * @throws Error when it does not succeed.
 */
export async function restore(url: string, token: string, jpeg: Buffer): Promise<number> {
  const began = performance.now();
  const { photoId, restorationId } = await submit(url, token, jpeg);
  await succeeded(url, token, restorationId);
  while ((await ask(url, PHOTO, { id: photoId }, token)).photo.renditions.length < EAGER) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return (performance.now() - began) / 1000;
}
