import type { Owned, ServiceContext } from '../db/context.ts';
import { selectRows } from '../db/rows.ts';
import type { Events } from '../events/service.ts';
import { PhotoEntity, type Photo } from '../photos/entity.ts';
import type { Photos } from '../photos/service.ts';

const PAGE = 50;

/** What goes with a user or a session; accounts know neither photos nor the log. */
export function createErase(deps: { photos: Photos; events: Events }) {
  return {
    /** Every photo of a user with its restorations and files. The caller has the right to it. */
    async eraseUserData(ctx: ServiceContext, userId: string): Promise<void> {
      for (;;) {
        const photos = await selectRows(ctx.em, PhotoEntity, `where t.user_id = ? order by t.id limit ${PAGE}`, [
          userId,
        ]);
        if (photos.length === 0) return;
        await deps.photos.erase(ctx, photos as Owned<Photo>[]);
      }
    },

    async eraseSessionData(ctx: ServiceContext, sessionId: string): Promise<void> {
      await deps.events.endSession(ctx.em, sessionId);
    },
  };
}
