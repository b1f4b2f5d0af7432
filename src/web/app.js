import { createApi } from './api.js';
import { createCard } from './card.js';
import { createChoices } from './choices.js';
import { READ, SETTINGS, UNFINISHED } from './documents.js';
import { notice } from './dom.js';
import { createHistory } from './history.js';
import { createLane } from './lane.js';
import { createLive } from './live.js';
import { bytesInWords, formatInWords } from './words.js';

/** One less than a session may have by default, which leaves room for a second tab. */
const UPLOADS = 2;

const $ = (selector) => document.querySelector(selector);
const api = createApi();
const live = createLive(api.session, (connected) =>
  notice(connected ? '' : 'The connection was lost. The work goes on; this page is trying to come back.'),
);
const lane = createLane(UPLOADS);
const choices = createChoices(api);
const cards = new Set();
let settings = { allowGuests: true, maxUploadBytes: 0 };

const history = createHistory({
  api,
  async open(id) {
    const there = [...cards].find((card) => card.id() === id);
    const card = there ?? add({ restoration: (await api.query(READ, { id })).restoration });
    card.focus();
  },
  onDelete: (id) => [...cards].find((card) => card.id() === id)?.close(),
});
const refresh = () => history.refresh().catch(({ message }) => notice(message));

function showWork() {
  $('section.work').hidden = cards.size === 0;
}

function add(start) {
  const card = createCard(
    {
      api,
      live,
      lane,
      onChange: refresh,
      onRemove(gone) {
        cards.delete(gone);
        showWork();
      },
      again: (photo) =>
        add({ photo, choice: choices.current(), mask: choices.takeMask(), model: choices.name() }).focus(),
    },
    start,
  );
  cards.add(card);
  $('#work').prepend(card.element);
  showWork();
  return card;
}

function take(files) {
  notice('');
  const limit = Number(settings.maxUploadBytes);
  const choice = choices.current();
  if (files.length > 1 && choices.hasMask()) {
    notice('A mask is for one photo: choose one photo, or leave the mask out.');
    return;
  }
  for (const file of files) {
    // The service would say the same, but could not before the whole file has been sent.
    if (limit > 0 && file.size > limit) {
      notice(`“${file.name}” has ${bytesInWords(file.size)}; this service takes up to ${bytesInWords(limit)} a photo.`);
    } else add({ file, choice, mask: choices.takeMask(), model: choices.name() });
  }
}

function watchFiles() {
  const input = $('#files');
  const drop = $('#drop');
  input.addEventListener('change', () => {
    take([...input.files]);
    input.value = '';
  });
  // A photo dropped beside the field would replace the page.
  const carries = ({ dataTransfer }) => dataTransfer?.types.includes('Files') && !$('#order').hidden;
  addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    drop.classList.add('over');
  });
  addEventListener('dragleave', ({ relatedTarget }) => {
    if (relatedTarget === null) drop.classList.remove('over');
  });
  addEventListener('drop', (event) => {
    drop.classList.remove('over');
    if (!carries(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  addEventListener('paste', ({ clipboardData }) => {
    if (!$('#order').hidden) take([...(clipboardData?.files ?? [])]);
  });
}

function watchAccount() {
  const form = $('#signin');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const { username, password } = form.elements;
    api
      .signIn(username.value, password.value)
      .then(() => {
        password.value = '';
        return begin();
      })
      .catch(({ message }) => notice(message));
  });
  $('#account button').addEventListener('click', () => {
    api.signOut().finally(() => location.reload());
  });
}

function showWho(signedIn) {
  const name = api.session.name();
  $('#signin').hidden = signedIn;
  $('#order').hidden = !signedIn;
  $('#account').hidden = !name;
  $('#account span').textContent = name ? `Signed in as ${name}` : '';
}

/** Shows the form, what is still under way from an earlier visit, and the history. */
async function begin() {
  notice('');
  ({ configuration: settings } = await api.ask(SETTINGS));
  const formats = settings.mimeTypes.map(formatInWords).join(', ');
  const limit = Number(settings.maxUploadBytes);
  $('#files').accept = settings.mimeTypes.join(',');
  $('#takes').textContent =
    `${formats}${limit > 0 ? `, up to ${bytesInWords(limit)} each` : ''}. Restoration starts right away.`;
  try {
    await choices.load();
  } catch (error) {
    if (settings.allowGuests || api.session.name() !== undefined) throw error;
    showWho(false);
    return;
  }
  showWho(true);
  const { viewer } = await api.query(UNFINISHED);
  for (const { node } of viewer.history.edges.toReversed()) add({ restoration: node });
  await history.refresh();
}

watchFiles();
watchAccount();
begin().catch(({ message }) => notice(message));
