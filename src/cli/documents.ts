import { graphql } from './generated/index.ts';

/** Every operation of the command line. `npm run generate` types them. */

export const GUEST = graphql(`
  mutation StartGuestSession {
    startGuestSession {
      token
    }
  }
`);

export const LOGOUT = graphql(`
  mutation Logout {
    logout {
      sessionId
    }
  }
`);

export const SERVER = graphql(`
  query Server {
    configuration {
      maxUploadBytes
    }
  }
`);

export const MODELS = graphql(`
  query Models {
    models {
      id
      name
      capability
      description
      isDefault
      options
      upscales
      parameters
      status {
        available
        reason
        examining
        note
      }
    }
  }
`);

export const MODEL_STATUSES = graphql(`
  query ModelStatuses {
    models {
      id
      status {
        available
        examining
        reason
      }
    }
  }
`);

export const RESTORE = graphql(`
  mutation RestorePhoto($input: RestorePhotoInput!) {
    restorePhoto(input: $input) {
      photo {
        format
        width
        height
      }
      restoration {
        id
      }
    }
  }
`);

export const FOLLOW = graphql(`
  subscription FollowRestoration($id: ID!) {
    restorationUpdated(id: $id) {
      status
      stage
      percent
      etaSeconds
      restoration {
        url(download: true)
        format
        width
        height
        bytes
        sha256
        durationMs
        error {
          code
          message
        }
      }
    }
  }
`);

export const OUTCOME = graphql(`
  query RestorationOutcome($id: ID!) {
    restoration(id: $id) {
      modelId
      model {
        name
      }
      report {
        steps {
          name
          ran
          strength
          reason
        }
        gate {
          reason
        }
      }
      mask {
        url(expiresIn: 604800)
      }
    }
  }
`);

export const CANCEL = graphql(`
  mutation CancelRestoration($id: ID!) {
    cancelRestoration(input: { id: $id }) {
      restoration {
        status
      }
    }
  }
`);
