import type { Role, UserActor } from '../db/context.ts';
import { builder } from '../graphql/builder.ts';
import type { User } from './entity.ts';
import { unauthenticated } from './require.ts';
import type { AuthResult, SessionView } from './sessions.ts';

const RoleEnum = builder.enumType('Role', {
  description: 'What an account may do.',
  values: {
    USER: { description: 'Restores photos of its own.' },
    ADMIN: { description: 'Also looks after the service.' },
  } satisfies { [K in Role]: { description: string } },
});

export const UserRef = builder.objectRef<User>('User');
builder.node(UserRef, {
  description: 'An account, or a guest. Photos belong to the user.',
  id: { description: 'Global id.', resolve: (user) => user.id },
  loadOne: (id, context) => context.services.auth.user(context, id),
  fields: (t) => ({
    username: t.exposeString('username', { nullable: true, description: 'Lower case; null for a guest.' }),
    guest: t.boolean({
      description: 'True for a user without a password, whose photos go when the session ends.',
      resolve: (user) => user.passwordHash === null,
    }),
    role: t.expose('role', { type: RoleEnum, description: 'What the user may do.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the user was made.' }),
  }),
});

const SessionRef = builder.objectRef<SessionView>('Session');
builder.node(SessionRef, {
  description: 'One login, or one visit of a guest. Its id is in the token.',
  id: { description: 'Global id.', resolve: (session) => session.id },
  loadOne: (id, context) => context.services.auth.session(context, id),
  fields: (t) => ({
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it began.' }),
    lastAccessedAt: t.expose('lastAccessedAt', {
      type: 'DateTime',
      description: 'When it was last used, to the minute.',
    }),
    current: t.exposeBoolean('current', { description: 'True for the session of the token in use.' }),
    userAgent: t.exposeString('userAgent', {
      nullable: true,
      description: 'What the client called itself when the session began.',
    }),
  }),
});

/** The signed-in user or guest; later features hang their lists onto it. */
export const ViewerRef = builder.objectRef<UserActor>('Viewer');
ViewerRef.implement({
  description: 'Whoever is signed in, and all that is theirs.',
  fields: (t) => ({
    user: t.field({
      type: UserRef,
      description: 'The account or guest.',
      resolve: async (viewer, _args, context) => {
        const user = await context.services.auth.user(context, viewer.userId);
        // Removed since the request began.
        if (user === null) throw unauthenticated();
        return user;
      },
    }),
    session: t.field({
      type: SessionRef,
      description: 'The session of the token in use.',
      resolve: async (viewer, _args, context) => {
        const session = await context.services.auth.session(context, viewer.sessionId);
        if (session === null) throw unauthenticated();
        return session;
      },
    }),
    sessions: t.field({
      type: [SessionRef],
      description: 'Where this user is signed in, newest first; the newest hundred.',
      resolve: (_viewer, _args, context) => context.services.auth.sessions(context),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerRef,
    nullable: true,
    description: 'Whoever is signed in; null when nobody is.',
    resolve: (_root, _args, context) => (context.actor.kind === 'user' ? context.actor : null),
  }),
);

export const AuthPayloadRef = builder.objectRef<AuthResult>('AuthPayload').implement({
  description: 'What a client needs to go on after signing in.',
  fields: (t) => ({
    token: t.exposeString('token', {
      description: 'Send it as `Authorization: Bearer …`, or as `connectionParams.authorization` on a WebSocket.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When the token ends; call refreshSession before for a new one.',
    }),
    session: t.expose('session', { type: SessionRef, description: 'The session that the token is for.' }),
    user: t.expose('user', { type: UserRef, description: 'Who is signed in.' }),
  }),
});
