// The printed address carries the code in its fragment, which the browser sends to nobody.

import { byId } from "./elements.js";

if (location.hash.length > 1) {
  byId("code", HTMLInputElement).value = decodeURIComponent(location.hash.slice(1).replace(/^code=/, ""));
  history.replaceState(null, "", location.pathname);
}
