import { sameOrigin } from './api.js';
import { HISTORY } from './documents.js';
import { confirmButton, h } from './dom.js';
import { remove } from './remove.js';
import { dateInWords, statusInWords } from './words.js';

const PAGE = 12;
const MOST = 96;

/**
 * The restorations of this visitor, newest first.
 *
 * @param {{ api: object, open(id: string): void, onDelete(id: string): void }} deps
 */
export function createHistory({ api, open, onDelete }) {
  const section = document.querySelector('section.history');
  const list = document.querySelector('#history');
  const count = document.querySelector('#history-count');
  const title = document.querySelector('#history-title');
  const more = document.querySelector('#more');
  /** What is shown, by id: what has not changed stays as it is, and so does the focus in it. */
  let shown = new Map();
  let end = null;
  let reading = null;
  let stale = false;

  function item({ id, status, queuedAt, modelId, model, rendition, photo }) {
    const name = photo.originalFilename;
    const picture = rendition ?? photo.rendition;
    const tile = h('span', { class: 'tile' }, picture && h('img', { src: sameOrigin(picture.url), alt: '' }));
    tile.style.setProperty('--tint', photo.dominantColor);
    const said = h('p', { class: 'message', role: 'alert', hidden: true });
    const act = (promise) =>
      promise.catch((error) => {
        said.textContent = error.message;
        said.hidden = false;
      });
    return h(
      'li',
      { 'data-status': status },
      h(
        'button',
        { type: 'button', class: 'entry', onclick: () => act(open(id)) },
        tile,
        h('span', { class: 'entry-name' }, name),
        h(
          'span',
          { class: 'entry-what' },
          `${status === 'SUCCEEDED' ? (model?.name ?? modelId) : statusInWords(status)}`,
        ),
        h('span', { class: 'entry-when' }, dateInWords(queuedAt)),
      ),
      confirmButton('Delete', 'For good?', () =>
        act(
          remove(api, id).then(() => {
            onDelete(id);
            title.focus({ preventScroll: true });
            return refresh();
          }),
        ),
      ),
      said,
    );
  }

  async function read(first, after) {
    const { viewer } = await api.query(HISTORY, { first, after });
    const { edges, pageInfo, totalCount } = viewer.history;
    const entries = edges.map(({ node }) => {
      const state = JSON.stringify(node);
      const there = shown.get(node.id);
      return [node.id, there?.state === state ? there : { state, element: item(node) }];
    });
    const items = entries.map(([, { element }]) => element);
    if (!after) {
      for (const element of Array.from(list.children).filter((child) => !items.includes(child))) element.remove();
      shown = new Map();
    }
    for (const [id, entry] of entries) shown.set(id, entry);
    let place = after ? null : list.firstElementChild;
    for (const element of items) {
      if (element === place) place = place.nextElementSibling;
      else list.insertBefore(element, place);
    }
    end = pageInfo.endCursor;
    more.hidden = !pageInfo.hasNextPage;
    section.hidden = totalCount === 0;
    count.textContent = totalCount === 1 ? 'One restoration' : `${totalCount} restorations`;
    return items;
  }

  /** Shows what is there now; changes that come while it reads are read after it, once. */
  async function refresh() {
    stale = true;
    reading ??= (async () => {
      while (stale) {
        stale = false;
        await read(Math.min(MOST, Math.max(PAGE, list.children.length)), null);
      }
    })().finally(() => {
      reading = null;
    });
    return reading;
  }

  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      const [first] = await read(PAGE, end);
      first?.querySelector('button').focus();
    } finally {
      more.disabled = false;
    }
  });

  return { refresh };
}
