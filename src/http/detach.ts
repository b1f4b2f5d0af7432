import { PassThrough, type Readable } from 'node:stream';
import { AppError } from '../errors.ts';

/**
 * A copy of a part that may fail or be given up without holding up the parts after it: busboy goes on only when a part
 * has been read to its end. A part over the limit fails at once; busboy itself would cut it off in silence.
 */
export function detach(part: Readable, maxBytes: number): PassThrough {
  const copy = new PassThrough({ highWaterMark: 256 * 1024 });
  part.once('limit', () => {
    copy.destroy(new AppError('PAYLOAD_TOO_LARGE', `The file is larger than the ${maxBytes / 1e6} MB allowed here.`));
  });
  part.once('error', (cause) => {
    copy.destroy(
      new AppError('BAD_USER_INPUT', 'The upload ended before the file was complete. Send it again.', { cause }),
    );
  });
  // Destroying busboy closes a part without an error.
  part.once('close', () => {
    if (!part.readableEnded) copy.destroy(new AppError('BAD_USER_INPUT', 'The upload was cut off. Send it again.'));
  });
  copy.on('error', () => {});
  copy.once('close', () => {
    part.unpipe(copy);
    part.resume();
  });
  part.pipe(copy);
  return copy;
}
