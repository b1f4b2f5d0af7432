import { NoPicture } from '../imaging/no-picture.ts';
import { windowOf } from '../imaging/tiles.ts';
import { gatherColours, gatherControl } from './gather.ts';
import type { NetJob } from './protocol.ts';
import { scatter, type Answer } from './scatter.ts';
import { createSeams } from './seams.ts';
import type { NetSession } from './session.ts';

/** A job under way in the inference thread. */
export interface Work {
  readonly job: NetJob;
  /** Tiles that are done. */
  readonly done: number;
  /** Does the next tile. @returns milliseconds that the net took. @throws NoPicture. */
  step(session: NetSession): Promise<number>;
}

/** Its buffers are as large as one window, and are used for all of them. */
export function beginWork(job: NetJob): Work {
  const { net, source, target, controls, share, plan } = job;
  const { scale, planes: count } = net;
  const width = plan.columns.size;
  const height = plan.rows.size;
  const area = width * height;
  const input = new Float32Array(area * (3 + controls.length));
  const answer: Answer = {
    planes: new Float32Array(area * scale ** 2 * count),
    width: width * scale,
    height: height * scale,
    count,
  };
  const seams = createSeams(plan, scale, count);
  let done = 0;

  return {
    job,

    get done() {
      return done;
    },

    async step(session) {
      const window = windowOf(plan, done);
      gatherColours(source, window, input, net.range);
      controls.forEach((control, i) => {
        gatherControl(control, window, input.subarray((3 + i) * area, (4 + i) * area));
      });
      const start = performance.now();
      await session.run(input, answer.planes, width, height, done + 1 === plan.count);
      const ms = performance.now() - start;
      const final = seams.blend(done, answer);
      const origin = { x: window.x0 * scale, y: window.y0 * scale };
      const sum = scatter({ answer, origin, area: final, target, source, share, range: net.outputRange });
      if (!Number.isFinite(sum)) throw new NoPicture('answered values that are no numbers (NaN or infinite)');
      done++;
      return ms;
    },
  };
}
