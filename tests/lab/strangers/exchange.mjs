// WHIP and WHEP are the same exchange: offer in, answer out, DELETE at the end.

const { VENTEROM_URL, VENTEROM_TOKEN, VENTEROM_SECONDS } = process.env;
export const seconds = Number(VENTEROM_SECONDS);
const authorization = `Bearer ${VENTEROM_TOKEN}`;

/** @param {string} offer */
export async function exchange(offer) {
  const response = await fetch(VENTEROM_URL, {
    method: 'POST', headers: { 'content-type': 'application/sdp', authorization }, body: offer,
  });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
  const location = new URL(response.headers.get('location'), VENTEROM_URL);
  return { answer, end: () => fetch(location, { method: 'DELETE', headers: { authorization } }) };
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Print what happened and leave; libraries may keep the process alive. */
export function leave(succeeded, said) {
  process.stdout.write(`${JSON.stringify(said)}\n`, () => process.exit(succeeded ? 0 : 1));
}
