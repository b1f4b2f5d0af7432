import { h } from './dom.js';

/** What was measured on a photo: one line per finding, the damages open to see; nothing until it has been made. */
export function diagnosisOf(photo) {
  const { diagnosis } = photo;
  if (!diagnosis) return [];
  const lines = h(
    'details',
    { class: 'report' },
    h('summary', {}, `What was measured: ${diagnosis.summary}`),
    h(
      'ul',
      {},
      ...diagnosis.findings.map(({ severity, line }) =>
        h('li', { class: severity === 'NONE' ? 'left' : 'ran' }, h('span', {}, line)),
      ),
    ),
  );
  return [lines];
}
