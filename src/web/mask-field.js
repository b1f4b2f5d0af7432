/** Where people say themselves what of the next photo is damaged. */
export function createMaskField() {
  const field = document.querySelector('#mask');
  const input = field.querySelector('input');
  const clear = field.querySelector('button');

  function show() {
    clear.hidden = input.files.length === 0;
  }

  function empty() {
    input.value = '';
    show();
  }

  input.addEventListener('change', show);
  clear.addEventListener('click', () => {
    empty();
    input.focus();
  });
  // A browser may fill in again what was there before a reload.
  empty();

  return {
    /** @param {boolean} taken whether the chosen model takes a mask. */
    offer(taken) {
      field.hidden = !taken;
      if (!taken) empty();
    },
    has: () => input.files.length > 0,
    /** The mask, once: no other photo has its damage in the same places. */
    take() {
      const [file] = input.files;
      empty();
      return file;
    },
  };
}
