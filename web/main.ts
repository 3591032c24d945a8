/** The lab: three panels, each of which starts by itself. Nothing is shown before they stand, so that nothing moves afterwards. */
import './style.css';
import './textbook/style.css';
import { startTextbook } from './textbook/index.ts';

startTextbook();
for (const part of document.querySelectorAll<HTMLElement>('main, footer')) part.hidden = false;
