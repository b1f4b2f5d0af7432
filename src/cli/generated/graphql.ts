/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** What a model is for. */
export type Capability =
  /** Gives a black and white photo colours. */
  | 'COLOURISE'
  /** Removes grain and compression artefacts. */
  | 'DENOISE'
  /** Improves the picture as a whole. */
  | 'ENHANCE'
  /** Restores faces. */
  | 'FACE'
  /** Repairs scratches, dust and tears. */
  | 'REPAIR'
  /** Looks at the photo and does what it needs. */
  | 'RESTORE'
  /** Brings back contrast and colour. */
  | 'TONE'
  /** Makes the picture larger. */
  | 'UPSCALE';

/** What `extensions.code` of an error, or `error.code` of a failed restoration, can be. */
export type ErrorCode =
  /** The arguments make no sense. (HTTP 400) */
  | 'BAD_USER_INPUT'
  /** Not possible in the present state. (HTTP 409) */
  | 'CONFLICT'
  /** Starts like an image but does not decode completely. (HTTP 400) */
  | 'CORRUPT_IMAGE'
  /** Signed in, but not allowed to do this. (HTTP 403) */
  | 'FORBIDDEN'
  /** The document is not GraphQL. (HTTP 400) */
  | 'GRAPHQL_PARSE_FAILED'
  /** The document does not fit the schema or its limits. (HTTP 400) */
  | 'GRAPHQL_VALIDATION_FAILED'
  /** More pixels, a longer side or more frames than allowed. (HTTP 413) */
  | 'IMAGE_TOO_LARGE'
  /** The work could never fit into the memory of this machine. (HTTP 422) */
  | 'INSUFFICIENT_MEMORY'
  /** Something went wrong on our side; the log has it. (HTTP 500) */
  | 'INTERNAL_SERVER_ERROR'
  /** The model exists but its provider is not configured or not up. (HTTP 503) */
  | 'MODEL_UNAVAILABLE'
  /** It does not exist, or belongs to somebody else. (HTTP 404) */
  | 'NOT_FOUND'
  /** More bytes than allowed. (HTTP 413) */
  | 'PAYLOAD_TOO_LARGE'
  /** The provider refuses our credentials. (HTTP 502) */
  | 'PROVIDER_CREDENTIALS'
  /** The account at the provider is used up. (HTTP 502) */
  | 'PROVIDER_QUOTA'
  /** The provider asked us to slow down. (HTTP 503) */
  | 'PROVIDER_RATE_LIMITED'
  /** The provider refused the request or returned something that is no image. (HTTP 502) */
  | 'PROVIDER_REJECTED'
  /** The provider, or the job as a whole, took too long. (HTTP 504) */
  | 'PROVIDER_TIMEOUT'
  /** The provider cannot be reached or fails. (HTTP 502) */
  | 'PROVIDER_UNAVAILABLE'
  /** Too many requests; `retryAfter` says how many seconds to wait. (HTTP 429) */
  | 'RATE_LIMITED'
  /** The service is stopping. (HTTP 503) */
  | 'SHUTTING_DOWN'
  /** No space is left to store the file. (HTTP 507) */
  | 'STORAGE_FULL'
  /** The database or the data folder cannot be used now: another program holds it, or it cannot be written to. (HTTP 503) */
  | 'STORAGE_UNAVAILABLE'
  /** No valid token. (HTTP 401) */
  | 'UNAUTHENTICATED'
  /** No such model, or it is switched off. (HTTP 400) */
  | 'UNKNOWN_MODEL'
  /** Not an image that Heirloom takes, whatever its name says. (HTTP 400) */
  | 'UNSUPPORTED_IMAGE'
  /** The work ended the process three times. (HTTP 500) */
  | 'WORKER_CRASH';

/** What of the metadata of the photo its result keeps. */
export type MetadataPolicy =
  /** Everything the photo carries, place and serial numbers included. */
  | 'KEEP'
  /** Nothing stays. */
  | 'STRIP_ALL'
  /** Camera, lens, date, author and description stay; place, serial numbers, owner and XMP go. */
  | 'STRIP_PRIVATE';

/** The format of a result. */
export type OutputFormat =
  /** Small, for photographs. */
  | 'JPEG'
  /** That of the photo; TIFF, BMP and GIF become PNG, AVIF becomes WebP. */
  | 'ORIGINAL'
  /** Lossless, keeps 16 bits and transparency. */
  | 'PNG'
  /** Smaller than JPEG, keeps transparency. */
  | 'WEBP';

/** How much time a restoration may take; it picks the nets and their passes. */
export type Quality =
  /** The large nets, damage looked for at full size as well, enlarged in two passes. */
  | 'BALANCED'
  /** As BALANCED, with a second look at the photo mirrored, enlarged in four passes. */
  | 'BEST'
  /** The small nets, damage looked for in one pass over a reduced copy, enlarged in one pass. */
  | 'FAST';

/** Whether scratches and dust are looked for and filled. */
export type Repair =
  /** Where the photo is soft or grainy, as old ones are, or where you have picked the model for just that. */
  | 'AUTO'
  /** Always. */
  | 'FORCE'
  /** Never. */
  | 'OFF';

/** How to restore. Everything has a default; what a model does not take is refused. */
export type RestorationOptionsInput = {
  /** Your own mask, in place of what would be found: a grey picture of the same size as the photo as displayed, white = damage. `Restoration.mask` is one to begin with. */
  mask?: null | null | undefined;
  /** What of the metadata of the photo the result keeps. */
  metadataPolicy?: MetadataPolicy | null | undefined;
  /** The format of the result. */
  outputFormat?: OutputFormat | null | undefined;
  /** 1 to 100, for JPEG (default 92) and WebP (default 90). */
  outputQuality?: number | null | undefined;
  /** What only this model knows; `Model.parameters` lists it. */
  parameters?: Record<string, unknown> | null | undefined;
  /** How much time it may take. Default BALANCED. */
  quality?: Quality | null | undefined;
  /** Whether scratches and dust are looked for. Default AUTO. */
  repair?: Repair | null | undefined;
  /** 0 leaves the photo as it is, 1 is the full effect (default). The size does not depend on it: at 0 an enlargement is a plain one. */
  strength?: number | null | undefined;
  /** How many times longer each side becomes: 1, 2 or 4, as far as the model takes it. */
  upscale?: number | null | undefined;
};

/** What is being done to a running restoration. */
export type RestorationStage =
  /** Tone and colour are brought back. */
  | 'COLOURING'
  /** Grain and artefacts are removed. */
  | 'DENOISING'
  /** Faces are restored, one by one. */
  | 'FACES'
  /** The result is encoded and stored. */
  | 'FINISHING'
  /** The photo is read and measured. */
  | 'PREPARING'
  /** Scratches and dust are filled. */
  | 'REPAIRING'
  /** The photo is on its way to the provider. */
  | 'UPLOADING'
  /** The picture is made larger. */
  | 'UPSCALING'
  /** The provider has not begun yet. */
  | 'WAITING_FOR_PROVIDER';

/** Where a restoration stands. */
export type RestorationStatus =
  /** Stopped by its owner. */
  | 'CANCELLED'
  /** Given up; `error` says why. */
  | 'FAILED'
  /** Waits for its turn, or for its next try. */
  | 'QUEUED'
  /** Is being worked on. */
  | 'RUNNING'
  /** The result is there. */
  | 'SUCCEEDED';

/** What restorePhoto takes: `file` or `photoId`. */
export type RestorePhotoInput = {
  /** A new photo: JPEG, PNG, WebP, TIFF, GIF, AVIF or BMP. */
  file?: null | null | undefined;
  /** Your own key for this request: the same key gives the same restoration for 24 hours. */
  idempotencyKey?: string | null | undefined;
  /** Name of the model; the default one when left out. */
  modelId?: string | null | undefined;
  /** How. */
  options?: RestorationOptionsInput | null | undefined;
  /** Global id of a photo that is there. */
  photoId?: string | null | undefined;
};

export type StartGuestSessionMutationVariables = Exact<{ [key: string]: never; }>;


export type StartGuestSessionMutation = { startGuestSession: { token: string } };

export type LogoutMutationVariables = Exact<{ [key: string]: never; }>;


export type LogoutMutation = { logout: { sessionId: string } };

export type ServerQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerQuery = { configuration: { maxUploadBytes: number } };

export type ModelsQueryVariables = Exact<{ [key: string]: never; }>;


export type ModelsQuery = { models: Array<{ id: string, name: string, capability: Capability, description: string, isDefault: boolean, options: Array<string>, upscales: Array<number>, parameters: Record<string, unknown>, status: { available: boolean, reason: string | null, examining: boolean, note: string | null } }> };

export type ModelStatusesQueryVariables = Exact<{ [key: string]: never; }>;


export type ModelStatusesQuery = { models: Array<{ id: string, status: { available: boolean, examining: boolean, reason: string | null } }> };

export type RestorePhotoMutationVariables = Exact<{
  input: RestorePhotoInput;
}>;


export type RestorePhotoMutation = { restorePhoto: { photo: { format: string, width: number, height: number }, restoration: { id: string } } };

export type FollowRestorationSubscriptionVariables = Exact<{
  id: string;
}>;


export type FollowRestorationSubscription = { restorationUpdated: { status: RestorationStatus, stage: RestorationStage | null, percent: number, etaSeconds: number | null, restoration: { url: string | null, format: string | null, width: number | null, height: number | null, bytes: number | null, sha256: string | null, durationMs: number | null, error: { code: ErrorCode, message: string } | null } } };

export type RestorationOutcomeQueryVariables = Exact<{
  id: string;
}>;


export type RestorationOutcomeQuery = { restoration: { modelId: string, model: { name: string } | null, report: { steps: Array<{ name: string, ran: boolean, strength: number, reason: string }>, gate: { reason: string } | null } | null, mask: { url: string } | null } | null };

export type CancelRestorationMutationVariables = Exact<{
  id: string;
}>;


export type CancelRestorationMutation = { cancelRestoration: { restoration: { status: RestorationStatus } } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}

export const StartGuestSessionDocument = new TypedDocumentString(`
    mutation StartGuestSession {
  startGuestSession {
    token
  }
}
    `) as unknown as TypedDocumentString<StartGuestSessionMutation, StartGuestSessionMutationVariables>;
export const LogoutDocument = new TypedDocumentString(`
    mutation Logout {
  logout {
    sessionId
  }
}
    `) as unknown as TypedDocumentString<LogoutMutation, LogoutMutationVariables>;
export const ServerDocument = new TypedDocumentString(`
    query Server {
  configuration {
    maxUploadBytes
  }
}
    `) as unknown as TypedDocumentString<ServerQuery, ServerQueryVariables>;
export const ModelsDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<ModelsQuery, ModelsQueryVariables>;
export const ModelStatusesDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<ModelStatusesQuery, ModelStatusesQueryVariables>;
export const RestorePhotoDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<RestorePhotoMutation, RestorePhotoMutationVariables>;
export const FollowRestorationDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<FollowRestorationSubscription, FollowRestorationSubscriptionVariables>;
export const RestorationOutcomeDocument = new TypedDocumentString(`
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
    `) as unknown as TypedDocumentString<RestorationOutcomeQuery, RestorationOutcomeQueryVariables>;
export const CancelRestorationDocument = new TypedDocumentString(`
    mutation CancelRestoration($id: ID!) {
  cancelRestoration(input: {id: $id}) {
    restoration {
      status
    }
  }
}
    `) as unknown as TypedDocumentString<CancelRestorationMutation, CancelRestorationMutationVariables>;