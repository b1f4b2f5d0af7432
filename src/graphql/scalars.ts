import { GraphQLScalarType } from 'graphql';
import {
  BigIntResolver,
  DateTimeResolver,
  JSONObjectResolver,
  NonNegativeIntResolver,
  URLResolver,
} from 'graphql-scalars';
import { AppError, ERROR_CODES, type ErrorCode } from '../errors.ts';
import type { IncomingFile } from '../storage/spool.ts';
import { builder } from './builder.ts';

builder.addScalarType('DateTime', DateTimeResolver);
builder.addScalarType('URL', URLResolver);
builder.addScalarType('JSONObject', JSONObjectResolver);
builder.addScalarType('NonNegativeInt', NonNegativeIntResolver);
builder.addScalarType('BigInt', BigIntResolver);

const noUpload = (): never => {
  throw new AppError(
    'BAD_USER_INPUT',
    'Send files as multipart/form-data, by the GraphQL multipart request specification.',
  );
};

/** https://github.com/jaydenseric/graphql-multipart-request-spec; `http/multipart.ts` puts a promise in each place. */
const UploadScalar = new GraphQLScalarType<Promise<IncomingFile>, never>({
  name: 'Upload',
  description: 'A file, sent by the GraphQL multipart request specification.',
  parseValue: (value) => (value instanceof Promise ? (value as Promise<IncomingFile>) : noUpload()),
  parseLiteral: noUpload,
  serialize: noUpload,
});
builder.addScalarType('Upload', UploadScalar);

/** The closed list of codes that `extensions.code` and `Restoration.error.code` are taken from. */
export const ErrorCodeEnum = builder.enumType('ErrorCode', {
  description: 'What `extensions.code` of an error, or `error.code` of a failed restoration, can be.',
  values: Object.fromEntries(
    Object.entries(ERROR_CODES).map(([code, { doc, http }]) => [code, { description: `${doc} (HTTP ${http})` }]),
  ) as { [K in ErrorCode]: { description: string } },
});
