import { builder } from '../graphql/builder.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import { encodeGlobalId, localId } from '../graphql/global-id.ts';
import type { User } from './entity.ts';
import { AuthPayloadRef, UserRef } from './schema.ts';

/** Yoga puts the request on the context; a mutation sent over a socket has none. */
function agentOf(context: GraphQLContext & { readonly request?: Request }): { userAgent: string | null } {
  return { userAgent: context.request?.headers.get('user-agent') ?? null };
}

const password = 'The password: 8 to 200 characters.';

const LoginInput = builder.inputType('LoginInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The user name; upper and lower case are the same.' }),
    password: t.string({ required: true, description: 'The password.' }),
  }),
});

const RegisterInput = builder.inputType('RegisterInput', {
  description: 'The account to make.',
  fields: (t) => ({
    username: t.string({
      required: true,
      description: '3 to 64 letters, digits or `. _ - @`; upper and lower case are the same.',
    }),
    password: t.string({ required: true, description: password }),
  }),
});

const DeleteSessionInput = builder.inputType('DeleteSessionInput', {
  description: 'The session to end.',
  fields: (t) => ({ sessionId: t.id({ required: true, description: 'Id of one of your sessions.' }) }),
});

const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'The password as it is and as it shall be.',
  fields: (t) => ({
    currentPassword: t.string({ required: true, description: 'The password as it is.' }),
    newPassword: t.string({ required: true, description: password }),
  }),
});

const DeleteAccountInput = builder.inputType('DeleteAccountInput', {
  description: 'Confirms the removal of an account.',
  fields: (t) => ({
    password: t.string({ description: 'The password of the account; a guest has none and leaves it out.' }),
  }),
});

const endedPayload = (name: string, description: string) =>
  builder.objectRef<{ sessionId: string }>(name).implement({
    description,
    fields: (t) => ({
      sessionId: t.id({
        description: 'Id of the session that has ended.',
        resolve: ({ sessionId }) => encodeGlobalId('Session', sessionId),
      }),
    }),
  });
const LogoutPayload = endedPayload('LogoutPayload', 'Nobody is signed in any more.');
const DeleteSessionPayload = endedPayload('DeleteSessionPayload', 'A session has ended.');

const ChangePasswordPayload = builder
  .objectRef<{ user: User; endedSessions: number }>('ChangePasswordPayload')
  .implement({
    description: 'The password has been changed.',
    fields: (t) => ({
      user: t.expose('user', { type: UserRef, description: 'Whose password it is.' }),
      endedSessions: t.expose('endedSessions', {
        type: 'NonNegativeInt',
        description: 'How many other sessions were ended by it.',
      }),
    }),
  });

const DeleteAccountPayload = builder.objectRef<{ userId: string }>('DeleteAccountPayload').implement({
  description: 'A user is gone, with all photos, restorations and files.',
  fields: (t) => ({
    userId: t.id({
      description: 'Id of the user who is gone.',
      resolve: ({ userId }) => encodeGlobalId('User', userId),
    }),
  }),
});

builder.mutationFields((t) => ({
  login: t.field({
    type: AuthPayloadRef,
    description: 'Signs in to an account. Every login makes a new session.',
    args: { input: t.arg({ type: LoginInput, required: true, description: 'Who signs in.' }) },
    resolve: (_root, { input }, context) => context.services.auth.login(context, { ...input, ...agentOf(context) }),
  }),
  startGuestSession: t.field({
    type: AuthPayloadRef,
    description:
      'Begins a visit without an account. Photos are kept until the session ends, or for good after register.',
    resolve: (_root, _args, context) => context.services.auth.startGuestSession(context, agentOf(context)),
  }),
  register: t.field({
    type: AuthPayloadRef,
    description: 'Makes an account and signs in to it. A guest who registers keeps the photos.',
    args: { input: t.arg({ type: RegisterInput, required: true, description: 'The account to make.' }) },
    resolve: (_root, { input }, context) => context.services.auth.register(context, { ...input, ...agentOf(context) }),
  }),
  refreshSession: t.field({
    type: AuthPayloadRef,
    description: 'A new token for the session of the token in use. The old one stays good until it expires.',
    resolve: (_root, _args, context) => context.services.auth.refreshSession(context),
  }),
  logout: t.field({
    type: LogoutPayload,
    description: 'Ends the session of the token in use. A guest goes with it, photos and all.',
    resolve: async (_root, _args, context) => ({ sessionId: await context.services.auth.logout(context) }),
  }),
  deleteSession: t.field({
    type: DeleteSessionPayload,
    description: 'Ends one of your sessions. A guest goes with it, photos and all.',
    args: { input: t.arg({ type: DeleteSessionInput, required: true, description: 'The session to end.' }) },
    resolve: async (_root, { input }, context) => {
      const id = localId('Session', input.sessionId) ?? '';
      return { sessionId: await context.services.auth.deleteSession(context, id) };
    },
  }),
  changePassword: t.field({
    type: ChangePasswordPayload,
    description: 'Sets a new password and ends all your other sessions.',
    args: { input: t.arg({ type: ChangePasswordInput, required: true, description: 'The old and the new one.' }) },
    resolve: (_root, { input }, context) => context.services.auth.changePassword(context, input),
  }),
  deleteAccount: t.field({
    type: DeleteAccountPayload,
    description: 'Removes you, with all photos, restorations, files and sessions. There is no way back.',
    args: { input: t.arg({ type: DeleteAccountInput, description: 'Confirms it; needed for an account.' }) },
    resolve: async (_root, { input }, context) => ({
      userId: await context.services.auth.deleteAccount(context, input ?? {}),
    }),
  }),
}));
