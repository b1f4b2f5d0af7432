import { sameOrigin } from './api.js';
import { CANCEL, FOLLOW, READ, RESTORE, RETRY } from './documents.js';
import { announce, confirmButton, h } from './dom.js';
import { remove } from './remove.js';
import { result } from './result.js';
import { etaInWords, percentInWords, stageInWords } from './words.js';

const PATIENCE_SECONDS = 90;
const FINAL = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);

/** 128 random bits; `crypto.randomUUID` is not there for a page that came by plain HTTP. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * One photo on its way: sent, followed, shown. It begins with a file, with a photo that is there, or with a
 * restoration that is there.
 *
 * @param {object} deps api, live, lane (runs uploads, few at a time), onChange (something the history shows has
 *   changed), onRemove, again (restores the same photo once more).
 * @param {{ file?: File, mask?: File, photo?: object, restoration?: object, choice?: object, model?: string }} start mask:
 *   what of the photo is damaged.
 */
export function createCard(deps, start) {
  const { api, live, lane, onChange } = deps;
  const { file, mask, choice } = start;
  const key = randomKey();
  const name = file?.name ?? (start.photo ?? start.restoration.photo).originalFilename;
  const preview = file ? URL.createObjectURL(file) : null;
  let restoration = start.restoration ?? null;
  let uploading = null;
  let stopFollowing = () => {};
  let cursor;

  const body = h('div', { class: 'card-body' });
  const title = h('h3', { tabIndex: -1 }, name);
  const subtitle = h('p', { class: 'subtitle' });
  const element = h('article', { class: 'card', 'aria-label': name }, h('header', {}, title, subtitle), body);

  const button = (label, onclick, kind = '') => h('button', { type: 'button', class: kind, onclick }, label);
  const actions = (...buttons) => h('div', { class: 'actions' }, ...buttons);

  function show(state, ...children) {
    element.dataset.state = state;
    const held = body.contains(document.activeElement);
    body.replaceChildren(...children);
    if (held) title.focus({ preventScroll: true });
    const upscale = restoration?.options.upscale ?? 1;
    subtitle.textContent = `${restoration?.model?.name ?? restoration?.modelId ?? start.model ?? ''}${upscale > 1 ? ` · ×${upscale}` : ''}`;
  }

  function picture() {
    const photo = restoration?.photo ?? start.photo;
    const source = photo?.rendition ? sameOrigin(photo.rendition.url) : preview;
    const frame = h('div', { class: 'picture' });
    if (photo) frame.style.setProperty('--tint', photo.dominantColor);
    // A type that this browser cannot show has a picture as soon as the service has made a copy.
    if (source) frame.append(h('img', { src: source, alt: '', onerror: () => frame.remove() }));
    return frame;
  }

  /** Progress in place: `update` changes the words and the bar without building anything anew. */
  function progress(...buttons) {
    const bar = h('progress', { max: 100, 'aria-label': `Progress of ${name}` });
    const stage = h('span', { class: 'stage' });
    const numbers = h('span', { class: 'numbers' });
    let said = '';
    show('busy', picture(), h('div', { class: 'doing' }, h('p', {}, stage, numbers), bar, actions(...buttons)));
    return (words, percent, eta) => {
      stage.textContent = words;
      numbers.textContent = [percent ? percentInWords(percent) : '', eta].filter(Boolean).join(' · ');
      if (percent === null) bar.removeAttribute('value');
      else bar.value = percent;
      if (said !== words) announce(`${name}: ${words}`);
      said = words;
    };
  }

  function stop(state, message, ...buttons) {
    show(state, picture(), h('div', { class: 'doing' }, h('p', { class: 'message' }, message), actions(...buttons)));
    announce(`${name}: ${message}`);
  }

  const fail = (message, ...buttons) => stop('failed', message, ...buttons);

  function close() {
    stopFollowing();
    uploading?.abort();
    if (preview) URL.revokeObjectURL(preview);
    element.remove();
    deps.onRemove(card);
  }

  const dismiss = () => button('Remove from this page', close, 'quiet');

  function act(promise) {
    promise.catch((error) => {
      body.querySelector('.trouble')?.remove();
      body.append(h('p', { class: 'message trouble', role: 'alert' }, error.message));
    });
  }

  async function destroy() {
    await remove(api, restoration.id);
    close();
    onChange();
  }
  const deletion = () => confirmButton('Delete', 'Delete for good?', () => act(destroy()));

  async function submit() {
    const own = new AbortController();
    uploading = own;
    const update = progress(button('Cancel', () => own.abort()));
    update('Waiting to be sent', 0, '');
    const onProgress = (share) =>
      share < 1
        ? update('Sending the photo', share * 100, '')
        : update('Sent; the service is checking the photo', null, '');
    const input = {
      ...choice,
      ...(mask && { options: { ...choice.options, mask: null } }),
      idempotencyKey: key,
      ...(file ? { file: null } : { photoId: start.photo.id }),
    };
    const files = {
      ...(file && { 'variables.input.file': file }),
      ...(mask && { 'variables.input.options.mask': mask }),
    };
    const attempt = () =>
      Object.keys(files).length > 0
        ? api.upload(RESTORE, { input }, files, { onProgress, signal: own.signal })
        : api.query(RESTORE, { input });
    try {
      const { restorePhoto } = await lane(() => patiently(attempt, update, own.signal), own.signal);
      restoration = restorePhoto.restoration;
      onChange();
      follow();
    } catch (error) {
      if (own.signal.aborted) stop('cancelled', 'Cancelled before it was sent.', button('Send it', submit), dismiss());
      else fail(error.message, button('Try again', submit), dismiss());
    } finally {
      uploading = null;
    }
  }

  /** A limit that ends soon is waited for. */
  async function patiently(attempt, update, signal) {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (error.code !== 'RATE_LIMITED' || !(error.retryAfter <= PATIENCE_SECONDS)) throw error;
        const seconds = Math.ceil(error.retryAfter);
        update(`${error.message} Trying again in ${seconds} seconds.`, null, '');
        await new Promise((resolve, reject) => {
          setTimeout(resolve, seconds * 1000);
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      }
    }
  }

  async function reread() {
    const answer = await api.query(READ, { id: restoration.id });
    if (answer.restoration === null) throw new Error('This restoration is no longer there.');
    restoration = answer.restoration;
  }

  function follow() {
    const { id } = restoration;
    const cancel = button('Cancel', () => {
      cancel.disabled = true;
      const enable = () => {
        cancel.disabled = false;
      };
      act(api.query(CANCEL, { id }).finally(enable));
    });
    const update = progress(cancel);
    const tell = (event) => {
      const running = event.status === 'RUNNING';
      const words = (event.status === 'QUEUED' && event.message) || stageInWords(event);
      update(words, running ? event.percent : 0, running ? etaInWords(event.etaSeconds) : '');
    };
    tell(restoration);
    stopFollowing = live.follow(FOLLOW, () => ({ id, after: cursor }), {
      next({ restorationUpdated }) {
        ({ cursor } = restorationUpdated);
        if (!FINAL.has(restorationUpdated.status)) tell(restorationUpdated);
      },
      error: (error) => fail(error.message, button('Look again', load), dismiss()),
      complete: load,
    });
  }

  function load() {
    onChange();
    reread().then(settle, (error) => fail(error.message, button('Look again', load), dismiss()));
  }

  async function retry() {
    ({
      retryRestoration: { restoration },
    } = await api.query(RETRY, { id: restoration.id }));
    onChange();
    follow();
  }

  const endings = {
    SUCCEEDED() {
      const { full, download, photo } = restoration;
      show(
        'done',
        ...result(restoration),
        actions(
          h('a', { class: 'button primary', href: sameOrigin(download), download: '' }, 'Download'),
          h('a', { class: 'button', href: sameOrigin(full), target: '_blank', rel: 'noopener' }, 'Open in full size'),
          button('Restore again', () => deps.again(photo)),
          deletion(),
        ),
      );
      announce(`${name}: restored`);
    },
    FAILED: () =>
      fail(
        restoration.error?.message ?? 'It failed.',
        button('Try again', () => act(retry())),
        deletion(),
      ),
    CANCELLED: () =>
      fail(
        'Cancelled.',
        button('Start again', () => act(retry())),
        deletion(),
      ),
  };

  function settle() {
    const ending = endings[restoration.status];
    if (ending) ending();
    else follow();
  }

  const card = {
    element,
    close,
    id: () => restoration?.id,
    focus() {
      element.scrollIntoView({ block: 'start', behavior: 'smooth' });
      title.focus({ preventScroll: true });
    },
  };
  if (restoration) settle();
  else submit();
  return card;
}
