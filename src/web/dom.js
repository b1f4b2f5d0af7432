/**
 * Makes an element. Strings become text and never markup, so what people and servers say cannot turn into HTML.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [props] `class`, `aria-*`, `data-*` and `role` are attributes, `on*` listeners, the rest properties.
 * @param {...(Node | string | null | undefined | false)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (/^(?:class|role|for|aria-.+|data-.+)$/.test(name)) element.setAttribute(name, String(value));
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that asks once more before it acts. */
export function confirmButton(label, question, act) {
  let asked;
  const button = h(
    'button',
    {
      type: 'button',
      class: 'quiet',
      onclick: () => {
        if (asked !== undefined) {
          calm();
          act(button);
          return;
        }
        button.textContent = question;
        button.classList.add('asks');
        asked = setTimeout(calm, 5000);
      },
      onblur: () => calm(),
    },
    label,
  );
  function calm() {
    clearTimeout(asked);
    asked = undefined;
    button.textContent = label;
    button.classList.remove('asks');
  }
  return button;
}

/** Says something to people who listen to the page. */
export function announce(text) {
  document.querySelector('#announcer').textContent = text;
}

/** Shows one sentence at the top of the page; an empty one hides it. */
export function notice(text) {
  const element = document.querySelector('#notice');
  element.textContent = text;
  element.hidden = text === '';
}
