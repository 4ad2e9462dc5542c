// Translations: the same catalogue that the server renders its pages with.

/** @type {Record<string, string>} */
let words = {};

/** @param {string} url */
export async function loadCatalogue(url) {
  const response = await fetch(url);
  if (response.ok) {
    words = await response.json();
  }
}

/**
 * The sentence in the page's language, with `{name}` replaced by `values.name`.
 * @param {string} message in English, as it stands in the catalogue
 * @param {Record<string, string | number>} [values]
 */
export function t(message, values = {}) {
  const sentence = words[message] || message;
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
