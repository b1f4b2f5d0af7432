import sharp, { type Metadata, type Sharp, type Stats } from 'sharp';

/*
 * State of the module, since libvips is one for the process as well. Everything that sharp has begun or ended: a pipeline counts
 * twice, what it does not announce once.
 */
let happened = 0;
let unannounced = 0;
sharp.queue.on('change', () => {
  happened += 1;
});

async function counted<T>(work: () => Promise<T>): Promise<T> {
  happened += 1;
  unannounced += 1;
  try {
    return await work();
  } finally {
    unannounced -= 1;
  }
}

/** `image.metadata()`, which sharp does not announce. Headers are read by this alone. */
export const metadataOf = (image: Sharp): Promise<Metadata> => counted(() => image.metadata());

/** The same for `image.stats()`. */
export const statsOf = (image: Sharp): Promise<Stats> => counted(() => image.stats());

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
  const busy = queue + process + unannounced > 0;
  let mine = 0;
  return {
    own(kind) {
      mine += kind === 'header' ? 1 : 2;
    },
    came: () => busy || happened - begin !== mine,
  };
}
