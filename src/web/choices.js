import { MODELS, NOTES } from './documents.js';
import { h } from './dom.js';
import { createMaskField } from './mask-field.js';

const SIZES = { 1: 'As it is', 2: 'Twice', 4: 'Four times' };

/** Options that are a list in the page, under their own names. */
const LISTS = ['quality', 'repair'];

/** After so many milliseconds the page looks whether a model has been examined meanwhile. */
const AGAIN_MS = 3000;

/** The model, the size and the options that the next photos are restored with. */
export function createChoices(api) {
  const select = document.querySelector('#model');
  const says = document.querySelector('#model-says');
  const note = document.querySelector('#model-note');
  const fieldset = document.querySelector('#upscale');
  const mask = createMaskField();
  let models = [];
  let notes = new Map();
  const lists = LISTS.map((name) => ({ name, field: document.querySelector(`#${name}`) }));
  let upscale;

  const chosen = () => models.find(({ id }) => id === select.value);
  const offersSizes = (model) => model.upscales.length > 1 && model.options.includes('upscale');

  const option = ({ id, name }, selected) => h('option', { value: id, selected }, name);

  /** Those that can be used now; one that is still being examined joins the list as soon as it may. */
  async function ask() {
    const answer = await api.query(MODELS);
    if (answer.models.some(({ status }) => status.examining)) setTimeout(() => join().catch(() => {}), AGAIN_MS);
    return answer.models.filter(({ status }) => status.available);
  }

  async function join() {
    const known = new Set(models.map(({ id }) => id));
    const late = (await ask()).filter(({ id }) => !known.has(id));
    models.push(...late);
    select.append(...late.map((model) => option(model, false)));
  }

  function showNote() {
    const text = notes.get(select.value) ?? '';
    note.textContent = text;
    note.hidden = text === '';
  }

  async function loadNotes() {
    const answer = await api.query(NOTES);
    notes = new Map(answer.models.map(({ id, status }) => [id, status.note]));
    showNote();
  }

  function show() {
    const model = chosen();
    says.textContent = model.description;
    showNote();
    fieldset.hidden = !offersSizes(model);
    for (const { name, field } of lists) field.hidden = !model.options.includes(name);
    mask.offer(model.options.includes('mask'));
    [upscale] = model.upscales;
    fieldset.querySelector('.segments').replaceChildren(
      ...model.upscales.map((factor) =>
        h(
          'label',
          {},
          h('input', {
            type: 'radio',
            name: 'upscale',
            value: String(factor),
            checked: factor === upscale,
            onchange: () => {
              upscale = factor;
            },
          }),
          h('span', {}, SIZES[factor] ?? `×${factor}`),
        ),
      ),
    );
  }
  select.addEventListener('change', show);

  return {
    async load() {
      models = await ask();
      if (models.length === 0) throw new Error('No model can be used now. Whoever runs this service must set one up.');
      const first = models.find(({ isDefault }) => isDefault) ?? models[0];
      select.replaceChildren(...models.map((model) => option(model, model === first)));
      select.disabled = false;
      show();
      // Nobody misses them: everything works without.
      loadNotes().catch(() => {});
    },
    /** As input of restorePhoto. */
    current() {
      const model = chosen();
      if (!model) return {};
      const taken = lists.filter(({ name }) => model.options.includes(name));
      const options = Object.fromEntries(taken.map(({ name, field }) => [name, field.querySelector('select').value]));
      return { modelId: model.id, options: { ...options, ...(offersSizes(model) ? { upscale } : {}) } };
    },
    hasMask: mask.has,
    takeMask: mask.take,
    /** Its name for people. */
    name: () => chosen()?.name ?? '',
  };
}
