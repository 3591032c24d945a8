/** Runs the check that a page's address asks for, `page.html?check=threads&options={}`, and sends what came of it to its server. */
import * as checks from './checks.mjs';

export async function answer(heed, more) {
  const given = new URLSearchParams(location.search);
  let said;
  try {
    const options = { ...JSON.parse(given.get('options')), ...more };
    said = { result: await checks[given.get('check')](heed, options) };
  } catch (error) {
    said = { error: `${error}\n${error?.stack}` };
  }
  await fetch('said', { method: 'POST', body: JSON.stringify(said) });
}
