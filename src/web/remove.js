import { ATTEMPTS, DELETE_PHOTO, DELETE_RESTORATION } from './documents.js';

/** Deletes one attempt; with the last attempt goes the photo, since this page shows photos by their attempts. */
export async function remove(api, restorationId) {
  const { restoration } = await api.query(ATTEMPTS, { id: restorationId });
  if (restoration === null) return;
  const { id, restorations } = restoration.photo;
  if (restorations.length > 1) await api.query(DELETE_RESTORATION, { id: restorationId });
  else await api.query(DELETE_PHOTO, { id });
}
