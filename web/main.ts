/** The lab: three panels, each of which starts by itself. Nothing is shown before they stand, so that nothing moves afterwards. */
import './style.css';
import './textbook/style.css';
import './heads/style.css';
import './bench/style.css';
import { startBench } from './bench/index.ts';
import { byId } from './dom.ts';
import { startHeads } from './heads/index.ts';
import { startTextbook } from './textbook/index.ts';

byId('waiting', HTMLParagraphElement).remove();
try {
  startTextbook();
  void startHeads();
  for (const part of document.querySelectorAll<HTMLElement>('nav, main, footer')) part.hidden = false;
  // Its chart is as wide as its place, which is there only now.
  startBench();
} catch (error) {
  // A browser without SIMD, or a policy against WebAssembly: heed says which.
  const failure = byId('failure', HTMLParagraphElement);
  failure.textContent = `The lab cannot run here. ${String(error)}`;
  failure.hidden = false;
}
