// A form with a name: sent without leaving the page, so that the press that sent it still counts as one for sound.

import { byId } from "./elements.js";
import { t } from "./i18n.js";

/**
 * @param {(() => void) | null} onPress before anything is sent, while the browser still knows of the press
 * @param {() => void} onDone
 */
export function enhanceNameForm(onPress, onDone) {
  const form = byId("name-form", HTMLFormElement);
  const name = byId("name", HTMLInputElement);
  const error = byId("name-error", HTMLElement);

  /** @param {string | null} text */
  const showError = (text) => {
    error.hidden = text === null;
    error.textContent = text ?? "";
    name.toggleAttribute("aria-invalid", text !== null);
    if (text !== null) {
      name.setAttribute("aria-invalid", "true");
      name.focus();
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onPress?.();
    void send(form).then((problem) => (problem === null ? onDone() : showError(problem)));
  });
  name.addEventListener("input", () => showError(null));
}

/** @param {HTMLFormElement} form @returns {Promise<string | null>} what is wrong, for people */
async function send(form) {
  const body = new URLSearchParams();
  for (const [key, value] of new FormData(form)) {
    body.append(key, String(value));
  }
  try {
    const response = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body });
    if (response.ok) {
      return null;
    }
    const { text } = await response.json();
    return String(text);
  } catch {
    return t("No contact with the clinic. Check that you are online, and try again.");
  }
}
