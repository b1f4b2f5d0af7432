/* eslint-disable */
import * as types from './graphql.ts';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  mutation StartGuestSession {\n    startGuestSession {\n      token\n    }\n  }\n": typeof types.StartGuestSessionDocument,
    "\n  mutation Logout {\n    logout {\n      sessionId\n    }\n  }\n": typeof types.LogoutDocument,
    "\n  query Server {\n    configuration {\n      maxUploadBytes\n    }\n  }\n": typeof types.ServerDocument,
    "\n  query Models {\n    models {\n      id\n      name\n      capability\n      description\n      isDefault\n      options\n      upscales\n      parameters\n      status {\n        available\n        reason\n        examining\n        note\n      }\n    }\n  }\n": typeof types.ModelsDocument,
    "\n  query ModelStatuses {\n    models {\n      id\n      status {\n        available\n        examining\n        reason\n      }\n    }\n  }\n": typeof types.ModelStatusesDocument,
    "\n  mutation RestorePhoto($input: RestorePhotoInput!) {\n    restorePhoto(input: $input) {\n      photo {\n        format\n        width\n        height\n      }\n      restoration {\n        id\n      }\n    }\n  }\n": typeof types.RestorePhotoDocument,
    "\n  subscription FollowRestoration($id: ID!) {\n    restorationUpdated(id: $id) {\n      status\n      stage\n      percent\n      etaSeconds\n      restoration {\n        url(download: true)\n        format\n        width\n        height\n        bytes\n        sha256\n        durationMs\n        error {\n          code\n          message\n        }\n      }\n    }\n  }\n": typeof types.FollowRestorationDocument,
    "\n  query RestorationOutcome($id: ID!) {\n    restoration(id: $id) {\n      modelId\n      model {\n        name\n      }\n      report {\n        steps {\n          name\n          ran\n          strength\n          reason\n        }\n        gate {\n          reason\n        }\n      }\n      mask {\n        url(expiresIn: 604800)\n      }\n    }\n  }\n": typeof types.RestorationOutcomeDocument,
    "\n  mutation CancelRestoration($id: ID!) {\n    cancelRestoration(input: { id: $id }) {\n      restoration {\n        status\n      }\n    }\n  }\n": typeof types.CancelRestorationDocument,
};
const documents: Documents = {
    "\n  mutation StartGuestSession {\n    startGuestSession {\n      token\n    }\n  }\n": types.StartGuestSessionDocument,
    "\n  mutation Logout {\n    logout {\n      sessionId\n    }\n  }\n": types.LogoutDocument,
    "\n  query Server {\n    configuration {\n      maxUploadBytes\n    }\n  }\n": types.ServerDocument,
    "\n  query Models {\n    models {\n      id\n      name\n      capability\n      description\n      isDefault\n      options\n      upscales\n      parameters\n      status {\n        available\n        reason\n        examining\n        note\n      }\n    }\n  }\n": types.ModelsDocument,
    "\n  query ModelStatuses {\n    models {\n      id\n      status {\n        available\n        examining\n        reason\n      }\n    }\n  }\n": types.ModelStatusesDocument,
    "\n  mutation RestorePhoto($input: RestorePhotoInput!) {\n    restorePhoto(input: $input) {\n      photo {\n        format\n        width\n        height\n      }\n      restoration {\n        id\n      }\n    }\n  }\n": types.RestorePhotoDocument,
    "\n  subscription FollowRestoration($id: ID!) {\n    restorationUpdated(id: $id) {\n      status\n      stage\n      percent\n      etaSeconds\n      restoration {\n        url(download: true)\n        format\n        width\n        height\n        bytes\n        sha256\n        durationMs\n        error {\n          code\n          message\n        }\n      }\n    }\n  }\n": types.FollowRestorationDocument,
    "\n  query RestorationOutcome($id: ID!) {\n    restoration(id: $id) {\n      modelId\n      model {\n        name\n      }\n      report {\n        steps {\n          name\n          ran\n          strength\n          reason\n        }\n        gate {\n          reason\n        }\n      }\n      mask {\n        url(expiresIn: 604800)\n      }\n    }\n  }\n": types.RestorationOutcomeDocument,
    "\n  mutation CancelRestoration($id: ID!) {\n    cancelRestoration(input: { id: $id }) {\n      restoration {\n        status\n      }\n    }\n  }\n": types.CancelRestorationDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation StartGuestSession {\n    startGuestSession {\n      token\n    }\n  }\n"): typeof import('./graphql.ts').StartGuestSessionDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation Logout {\n    logout {\n      sessionId\n    }\n  }\n"): typeof import('./graphql.ts').LogoutDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Server {\n    configuration {\n      maxUploadBytes\n    }\n  }\n"): typeof import('./graphql.ts').ServerDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Models {\n    models {\n      id\n      name\n      capability\n      description\n      isDefault\n      options\n      upscales\n      parameters\n      status {\n        available\n        reason\n        examining\n        note\n      }\n    }\n  }\n"): typeof import('./graphql.ts').ModelsDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query ModelStatuses {\n    models {\n      id\n      status {\n        available\n        examining\n        reason\n      }\n    }\n  }\n"): typeof import('./graphql.ts').ModelStatusesDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation RestorePhoto($input: RestorePhotoInput!) {\n    restorePhoto(input: $input) {\n      photo {\n        format\n        width\n        height\n      }\n      restoration {\n        id\n      }\n    }\n  }\n"): typeof import('./graphql.ts').RestorePhotoDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription FollowRestoration($id: ID!) {\n    restorationUpdated(id: $id) {\n      status\n      stage\n      percent\n      etaSeconds\n      restoration {\n        url(download: true)\n        format\n        width\n        height\n        bytes\n        sha256\n        durationMs\n        error {\n          code\n          message\n        }\n      }\n    }\n  }\n"): typeof import('./graphql.ts').FollowRestorationDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query RestorationOutcome($id: ID!) {\n    restoration(id: $id) {\n      modelId\n      model {\n        name\n      }\n      report {\n        steps {\n          name\n          ran\n          strength\n          reason\n        }\n        gate {\n          reason\n        }\n      }\n      mask {\n        url(expiresIn: 604800)\n      }\n    }\n  }\n"): typeof import('./graphql.ts').RestorationOutcomeDocument;
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation CancelRestoration($id: ID!) {\n    cancelRestoration(input: { id: $id }) {\n      restoration {\n        status\n      }\n    }\n  }\n"): typeof import('./graphql.ts').CancelRestorationDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
