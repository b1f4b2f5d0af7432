import { randomFillSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { median, type Figure } from './figure.ts';
import { ask, guest, startNode, startService, type BenchProcess } from './service.ts';

const AT_ONCE = 10;
const SESSIONS = 4;
const BYTES = 20e6;
const MAX_MB = '20';
const BOUNDARY = 'heirloom-bench';
const UPLOAD = 'mutation ($file: Upload!) { uploadPhoto(input: { file: $file }) { photo { id } } }';

const part = (disposition: string, content: string): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
const HEAD = Buffer.from(
  part('name="operations"', JSON.stringify({ query: UPLOAD, variables: { file: null } })) +
    part('name="map"', '{"0":["variables.file"]}') +
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="0"; filename="scan.jpg"\r\nContent-Type: image/jpeg\r\n\r\n`,
);
const TAIL = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);

/** Sends one file; resolves when it is stored. @throws Error for any other answer. */
function send(url: string, file: Buffer, token?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}/graphql`,
      {
        method: 'POST',
        agent: false,
        headers: {
          'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
          'content-length': HEAD.length + file.length + TAIL.length,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          if (answer.statusCode === 200 && !text.includes('"errors"')) resolve();
          else reject(new Error(`${answer.statusCode}: ${text}`));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.write(HEAD);
    outgoing.write(file);
    outgoing.end(TAIL);
  });
}

/** Seconds from the first byte until all are stored. */
async function load(url: string, files: readonly Buffer[], tokens: readonly (string | undefined)[]): Promise<number> {
  const began = performance.now();
  await Promise.all(files.map((file, index) => send(url, file, tokens[index % tokens.length])));
  return (performance.now() - began) / 1000;
}

/** Makes `peakRss` begin anew. */
const forgetPeak = ({ pid }: BenchProcess): Promise<void> => writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => {});

/** Every rendition is made: what comes next measures only itself. */
async function settled(url: string, tokens: readonly string[]): Promise<void> {
  const newest = '{ viewer { photos(first: 10) { edges { node { renditions { name } } } } } }';
  for (const token of tokens) {
    for (;;) {
      const { edges } = (await ask(url, newest, {}, token)).viewer.photos;
      if (edges.every(({ node }: { node: { renditions: unknown[] } }) => node.renditions.length > 0)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/**
 * Ten uploads at once by four sessions, until every one is stored and acknowledged: on our side hashed, synced, judged,
 * moved to its place and committed to the database; on the other side hashed and synced. So that decoding stays outside,
 * the files are small JPEGs that end in 20 MB of bytes of their own, which no decoder looks at: ours is measured with all
 * it does, and the decode of a picture of 64 pixels is among it.
 */
export const upload: Figure = {
  name: 'upload',
  async measure({ rounds, dir, note }) {
    const bareDir = join(dir, 'bare');
    await mkdir(bareDir);
    const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#987' } })
      .jpeg()
      .toBuffer();
    const files = Array.from({ length: AT_ONCE }, () => Buffer.concat([picture, Buffer.alloc(BYTES - picture.length)]));

    const bare = await startNode(['tests/bench/bare-upload.ts', bareDir]);
    const ours = await startService(join(dir, 'data'), { MAX_UPLOAD_SIZE_MB: MAX_MB });
    const tokens = await Promise.all(Array.from({ length: SESSIONS }, () => guest(ours.url)));
    const ratios: number[] = [];
    const speeds = { ours: [] as number[], bare: [] as number[] };
    const growth: number[] = [];
    try {
      const warm = files.slice(0, 1);
      await load(bare.url, warm, [undefined]);
      await load(ours.url, warm, tokens);
      await settled(ours.url, tokens);
      const idle = (await ours.rss()) ?? Number.NaN;
      const turns = {
        bare: () => load(bare.url, files, [undefined]),
        async ours() {
          for (const file of files) randomFillSync(file, picture.length);
          const seconds = await load(ours.url, files, tokens);
          await settled(ours.url, tokens);
          return seconds;
        },
      };
      for (let round = 0; round < rounds; round++) {
        await forgetPeak(ours);
        const seconds = { ours: 0, bare: 0 };
        // There and back, so that a machine that grows slower or faster favours none.
        for (const who of ['ours', 'bare', 'bare', 'ours'] as const) seconds[who] += await turns[who]();
        for (const who of ['ours', 'bare'] as const) speeds[who].push((2 * AT_ONCE * BYTES) / 1e6 / seconds[who]);
        ratios.push(seconds.bare / seconds.ours);
        growth.push(((await ours.peakRss()) ?? Number.NaN) - idle);
        note(
          `${speeds.ours.at(-1)!.toFixed(0)} MB/s to ${speeds.bare.at(-1)!.toFixed(0)}, +${growth.at(-1)!.toFixed(0)} MB`,
        );
      }
      const [oursNow, bareNow] = [median(speeds.ours).toFixed(0), median(speeds.bare).toFixed(0)];
      return [
        {
          what: `Upload: ${AT_ONCE} × 20 MB at once from ${SESSIONS} sessions, until stored`,
          against: 'bare busboy to disk; SHA-256 and fsync on both sides',
          value: median(ratios),
          unit: '×',
          must: { atLeast: 0.75 },
          detail: `${oursNow} MB/s to ${bareNow} MB/s`,
          rounds: ratios,
        },
        {
          what: 'Upload: growth of memory (RSS) meanwhile',
          against: null,
          value: median(growth),
          unit: 'MB',
          must: { atMost: 150 },
          detail: `idle ${idle.toFixed(0)} MB`,
          rounds: growth,
        },
      ];
    } finally {
      await Promise.all([bare.stop(), ours.stop()]);
    }
  },
};
