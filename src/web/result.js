import { sameOrigin } from './api.js';
import { compare } from './compare.js';
import { diagnosisOf } from './diagnosis.js';
import { h } from './dom.js';
import { bytesInWords, durationInWords, formatInWords, stepInWords } from './words.js';

function fact(name, ...values) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, ...values));
}

const pixels = ({ width, height }) => `${width} × ${height}`;

/** What was done, and what was not, and what the comparison of the result with the photo said. */
function report({ steps, gate }) {
  const did = steps.filter(({ ran }) => ran);
  const left = steps.filter(({ ran }) => !ran);
  const kept = did.length === 0;
  const item = ({ name, ran, reason }) =>
    h('li', { class: ran ? 'ran' : 'left' }, h('strong', {}, stepInWords(name)), ' ', h('span', {}, reason));
  return h(
    'section',
    { class: 'report' },
    h('h4', {}, kept ? 'Nothing was changed' : 'What was done, and why'),
    gate && h('p', { class: 'gate' }, gate.reason),
    h('ul', {}, ...did.map(item)),
    left.length > 0 &&
      h(
        'details',
        {},
        h('summary', {}, kept ? 'What was looked at' : 'What was left alone'),
        h('ul', {}, ...left.map(item)),
      ),
  );
}

/** What a finished restoration shows: before and after, the reasons, the figures. */
export function result(restoration) {
  const { photo, rendition, width, height, bytes, format, durationMs, mask } = restoration;
  const before = photo.rendition && sameOrigin(photo.rendition.url);
  const after = rendition && sameOrigin(rendition.url);
  const name = photo.originalFilename;
  return [
    before && after
      ? compare({ before, after, width, height, name })
      : h('p', { class: 'message' }, 'The preview is missing; the download has the result.'),
    h(
      'div',
      { class: 'about' },
      restoration.report?.steps.length > 0 && report(restoration.report),
      h(
        'dl',
        { class: 'facts' },
        fact('Before', `${pixels(photo)}, ${bytesInWords(photo.bytes)}`),
        fact('After', `${pixels({ width, height })}, ${bytesInWords(bytes)} ${formatInWords(format)}`),
        mask &&
          fact(
            'Repaired',
            `${(100 * mask.coverage).toFixed(1)} %, `,
            h('a', { href: sameOrigin(mask.url), target: '_blank', rel: 'noopener' }, 'see where'),
          ),
        durationMs !== null && fact('Took', durationInWords(durationMs)),
      ),
    ),
    ...diagnosisOf(photo),
  ];
}
