/** Links for a day: a page stays open longer than the hour they have by default. */
const DAY = 86_400;

const RESTORATION = `
  fragment Restoration on Restoration {
    id status stage percent etaSeconds queuedAt durationMs width height bytes format modelId
    model { name }
    options { upscale }
    error { message retryable }
    report { steps { name ran reason } gate { verdict reason } }
    mask { url(expiresIn: ${DAY}) coverage }
    photo {
      id originalFilename width height bytes dominantColor
      rendition(name: LARGE) { url(expiresIn: ${DAY}) }
      diagnosis { summary findings { severity line } }
    }
    rendition(name: LARGE) { url(expiresIn: ${DAY}) }
    full: url(expiresIn: ${DAY})
    download: url(expiresIn: ${DAY}, download: true)
  }`;

export const SETTINGS = `query {
  configuration { allowGuests maxUploadBytes mimeTypes }
}`;

export const MODELS = `query {
  models { id name description isDefault options upscales status { available examining } }
}`;

/** Apart from the list, which shall not wait while nets are tried. */
export const NOTES = `query { models(availableOnly: true) { id status { note } } }`;

export const RESTORE = `mutation ($input: RestorePhotoInput!) {
  restorePhoto(input: $input) { restoration { ...Restoration } }
} ${RESTORATION}`;

export const READ = `query ($id: ID!) {
  restoration(id: $id) { ...Restoration }
} ${RESTORATION}`;

export const UNFINISHED = `query {
  viewer { history(first: 20, filter: { status: [QUEUED, RUNNING] }) { edges { node { ...Restoration } } } }
} ${RESTORATION}`;

export const FOLLOW = `subscription ($id: ID!, $after: String) {
  restorationUpdated(id: $id, after: $after) { cursor status stage percent etaSeconds message }
}`;

export const CANCEL = `mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { id } } }`;

export const RETRY = `mutation ($id: ID!) {
  retryRestoration(input: { id: $id }) { restoration { ...Restoration } }
} ${RESTORATION}`;

export const ATTEMPTS = `query ($id: ID!) { restoration(id: $id) { photo { id restorations { id } } } }`;

export const DELETE_PHOTO = `mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }`;

export const DELETE_RESTORATION = `mutation ($id: ID!) {
  deleteRestoration(input: { id: $id }) { deletedRestorationId }
}`;

export const HISTORY = `query ($first: Int!, $after: String) {
  viewer {
    history(first: $first, after: $after) {
      totalCount
      pageInfo { hasNextPage endCursor }
      edges {
        node {
          id status queuedAt modelId
          model { name }
          rendition(name: PREVIEW) { url(expiresIn: ${DAY}) }
          photo { originalFilename dominantColor rendition(name: PREVIEW) { url(expiresIn: ${DAY}) } }
        }
      }
    }
  }
}`;
