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
  const more = document.querySelector('#more');
  let end = null;
  let reading = null;
  let stale = false;

  function item({ id, status, queuedAt, modelId, model, rendition, photo }) {
    const name = photo.originalFilename;
    const picture = rendition ?? photo.rendition;
    const tile = h(
      'span',
      { class: 'tile' },
      picture && h('img', { src: sameOrigin(picture.url), alt: '', loading: 'lazy' }),
    );
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
    const items = edges.map(({ node }) => item(node));
    if (after) list.append(...items);
    else list.replaceChildren(...items);
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
