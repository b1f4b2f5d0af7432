/** One tab of GraphiQL. */
export interface Tab {
  readonly query: string;
  readonly variables?: string;
  /** Shown in the headers editor. */
  readonly headers?: string;
}

const variables = (values: Readonly<Record<string, unknown>>): string => JSON.stringify(values, null, 2);

/** Without a token it counts as no header at all, so a tab that waits for one still loads the schema. */
const HEADERS = '{\n  "authorization": "Bearer "\n}';

const START = `# 1. Begin here: a guest session, no account needed.
#
# Run this (Ctrl-Enter) and copy the token. In tabs 3,
# 4 and 5 open "Headers" below and paste it:
#
#   { "authorization": "Bearer eyJhbGci…" }

mutation StartGuestSession {
  startGuestSession {
    token
    expiresAt
    user {
      id
      guest
    }
  }
}
`;

const MODELS = `# 2. What there is to pick from, and what this server
# takes. Nobody needs a token for it.

query ModelsAndLimits {
  models(availableOnly: true) {
    id
    name
    description
    capability
    options
    upscales
    isDefault
  }
  configuration {
    defaultModel
    mimeTypes
    maxUploadBytes
    maxMegapixels
    outputFormats
  }
}
`;

const CURL = [
  'curl http://localhost:4000/graphql',
  "-H 'Authorization: Bearer TOKEN'",
  `-F operations='{"query":"mutation ($file: Upload!) { uploadPhoto(input: { file: $file }) { photo { id } } }","variables":{"file":null}}'`,
  `-F map='{"0":["variables.file"]}'`,
  '-F 0=@photo.jpg',
].join(' ');

const RESTORE = `# 3. Restore a photo.
#
# GraphiQL cannot send files, so upload one with curl.
# Copy this line without its #, put in your token and
# the path of a photo (and the port, where not 4000):
#
# ${CURL}
#
# Put the id from the answer into "Variables", your
# token into "Headers", and run this. The answer comes
# at once; the work goes on in the queue. (restorePhoto
# takes a file, too: one request instead of two.)

mutation RestorePhoto($photoId: ID!) {
  restorePhoto(
    input: { photoId: $photoId, modelId: "auto", options: { upscale: 2, outputFormat: WEBP } }
  ) {
    restoration {
      id
      status
    }
  }
}
`;

const WATCH = `# 4. Watch it live, over a WebSocket.
#
# Put the id of the restoration into "Variables", your
# token into "Headers", and run this. It shows the
# present state, follows the work and ends with it.
# After a lost connection, go on from the last cursor:
# give it as "after".

subscription WatchRestoration($id: ID!, $after: String) {
  restorationUpdated(id: $id, after: $after) {
    cursor
    status
    stage
    percent
    etaSeconds
    restoration {
      url
      report {
        steps {
          name
          ran
          reason
        }
        gate {
          verdict
          reason
        }
      }
      error {
        code
        message
      }
    }
  }
}
`;

const HISTORY = `# 5. Everything you have had restored, newest first,
# two at a time.
#
# For the next page, give endCursor as "after". Links
# are signed and good for an hour: open one.

query History($first: Int!, $after: String) {
  viewer {
    history(first: $first, after: $after) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        node {
          id
          status
          queuedAt
          model {
            name
          }
          photo {
            originalFilename
            url
          }
          url
          rendition(name: MEDIUM) {
            url
            width
            height
          }
        }
      }
    }
  }
}
`;

/** What a newcomer sees in GraphiQL: from a guest session to the history, one tab each. */
export const GRAPHIQL_TABS: readonly Tab[] = [
  { query: START },
  { query: MODELS },
  { query: RESTORE, variables: variables({ photoId: 'the id of your photo' }), headers: HEADERS },
  { query: WATCH, variables: variables({ id: 'the id of your restoration', after: null }), headers: HEADERS },
  { query: HISTORY, variables: variables({ first: 2, after: null }), headers: HEADERS },
];
