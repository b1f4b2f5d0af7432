import sharp, { type Metadata, type Sharp } from 'sharp';

/** Everything that sharp has begun or ended in this process: a pipeline counts twice, the reading of a header once. */
let happened = 0;
let headersUnderWay = 0;
sharp.queue.on('change', () => {
  happened += 1;
});

/** `image.metadata()`, which sharp itself does not announce. Headers are read by this alone. */
export async function metadataOf(image: Sharp): Promise<Metadata> {
  happened += 1;
  headersUnderWay += 1;
  try {
    return await image.metadata();
  } finally {
    headersUnderWay -= 1;
  }
}

/** Who else worked on a picture meanwhile. */
export interface Company {
  /** Announces work of one's own, before it begins: a header, or a pipeline. */
  own(kind: 'header' | 'pipeline'): void;
  /** Whether anything but one's own work was under way since the beginning. */
  came(): boolean;
}

/**
 * libvips keeps what it has to say of a picture for the whole process, and sharp hands it to whoever ends next
 * (`VipsWarningPop`, `vips_error_buffer`). Only who was alone knows that all of an error's text, and nothing else, is about
 * its own picture.
 */
export function watchCompany(): Company {
  const begin = happened;
  const { queue, process } = sharp.counters();
  const busy = queue + process + headersUnderWay > 0;
  let mine = 0;
  return {
    own(kind) {
      mine += kind === 'header' ? 1 : 2;
    },
    came: () => busy || happened - begin !== mine,
  };
}
