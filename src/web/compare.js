import { h } from './dom.js';

const KEEP = 50;

/**
 * Two pictures of the same thing, one over the other, with a split that pointers drag and keys move.
 *
 * @param {{ before: string, after: string, width: number, height: number, name: string }} options links, and the pixels of the result.
 */
export function compare({ before, after, width, height, name }) {
  const slider = h('input', {
    type: 'range',
    min: '0',
    max: '100',
    step: '1',
    value: String(KEEP),
    'aria-label': `Split between before and after: ${name}`,
  });
  const figure = h(
    'div',
    { class: 'compare' },
    h('img', { src: before, alt: `Before: ${name}`, draggable: false }),
    h('img', { src: after, alt: `After: ${name}`, draggable: false, class: 'after' }),
    h('span', { class: 'tag before-tag', 'aria-hidden': 'true' }, 'Before'),
    h('span', { class: 'tag after-tag', 'aria-hidden': 'true' }, 'After'),
    slider,
    h('span', { class: 'split', 'aria-hidden': 'true' }, h('span', { class: 'grip' })),
  );
  figure.style.setProperty('--ratio', String(width / height));

  function show(value) {
    figure.style.setProperty('--split', `${value}%`);
    slider.setAttribute('aria-valuetext', `${Math.round(value)} % before, ${Math.round(100 - value)} % after`);
    figure.classList.toggle('mostly-after', value < 12);
    figure.classList.toggle('mostly-before', value > 88);
  }
  function point({ clientX }) {
    const { left, width: wide } = figure.getBoundingClientRect();
    const value = Math.min(100, Math.max(0, ((clientX - left) / wide) * 100));
    slider.value = String(Math.round(value));
    show(value);
  }
  slider.addEventListener('input', () => show(Number(slider.value)));
  figure.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    figure.setPointerCapture(event.pointerId);
    point(event);
    slider.focus({ preventScroll: true });
    event.preventDefault();
  });
  figure.addEventListener('pointermove', (event) => {
    if (figure.hasPointerCapture(event.pointerId)) point(event);
  });
  show(KEEP);
  return figure;
}
