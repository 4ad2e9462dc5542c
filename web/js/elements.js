// Typed look-ups that throw: a missing element is a mistake in a template, and is found at the first load.

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  return checked(document.getElementById(id), type, `#${id}`);
}

/**
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function within(parent, selector, type) {
  return checked(parent.querySelector(selector), type, selector);
}

/** A copy of a template's one element. @param {string} id */
export function fromTemplate(id) {
  const copy = byId(id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  return checked(copy instanceof Element ? copy : null, HTMLElement, `#${id}`);
}

/** A `data-…` attribute of the body. @param {string} name */
export function pageData(name) {
  const value = document.body.dataset[name];
  if (value === undefined) {
    throw new Error(`the page has no data-${name}`);
  }
  return value;
}

/** @param {HTMLElement} element @param {string | null} text null hides it */
export function setText(element, text) {
  element.hidden = text === null;
  // Only a change is announced by screen readers, and only a change is written.
  if (text !== null && element.textContent !== text) {
    element.textContent = text;
  }
}

/**
 * Show one of several sections, and put the keyboard's focus on its heading.
 * @param {Record<string, HTMLElement>} views
 * @param {string} shown
 */
export function showView(views, shown) {
  for (const [name, view] of Object.entries(views)) {
    const wasHidden = view.hidden;
    view.hidden = name !== shown;
    if (wasHidden && !view.hidden) {
      view.querySelector("h1")?.focus({ preventScroll: true });
    }
  }
}

/**
 * @template {Element} T
 * @param {Element | null} element
 * @param {new () => T} type
 * @param {string} what
 * @returns {T}
 */
function checked(element, type, what) {
  if (!(element instanceof type)) {
    throw new Error(`${what} is not a ${type.name} of this page`);
  }
  return element;
}
