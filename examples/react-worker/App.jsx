/** The page: two pictures, two buttons that compute the same, and what became of the frames meanwhile. */
import { useMemo, useRef, useState } from 'react';
import { countFrames } from './frames.js';
import { Picture } from './Picture.jsx';
import { cleanPicture, distance, noisyPicture, operands, shape } from './picture.js';
import { Spinner } from './Spinner.jsx';
import { useEngine } from './useEngine.js';

export function App() {
  const { engine, error } = useEngine();
  const noisy = useMemo(noisyPicture, []);
  const [run, setRun] = useState({ state: 'idle' });
  const stop = useRef(null);

  async function compute(where) {
    const { q, k, v } = operands(noisy);
    stop.current = new AbortController();
    const { signal } = stop.current;
    setRun({ state: 'busy', where });
    // What says so is to be seen before this thread has no more time for it.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    try {
      const work =
        where === 'workers'
          ? () => engine.attentionAsync(q, k, v, { ...shape, signal })
          : () => engine.attention(q, k, v, shape);
      setRun({ state: 'done', where, ...(await countFrames(work)) });
    } catch (reason) {
      setRun({ state: 'idle', error: signal.aborted ? undefined : reason });
    }
  }

  const problem = error ?? run.error;
  const idle = engine !== undefined && run.state !== 'busy';
  return (
    <main>
      <h1>A page that keeps painting</h1>
      <p>
        Attention takes the noise off a picture: each of its {shape.seqQ.toLocaleString('en')} pixels looks at
        all of them, and becomes the mean of those whose surroundings look like its own. In heed’s workers
        this leaves the page alone; on its own thread the dot stands still.
      </p>
      <Spinner />
      <p className="buttons">
        <button disabled={!idle || engine.features.threads === 1} onClick={() => compute('workers')}>
          Compute in the workers
        </button>
        <button disabled={!idle} onClick={() => compute('page')}>
          Compute on this thread
        </button>
        <button disabled={run.state !== 'busy'} onClick={() => stop.current.abort()}>
          Stop
        </button>
      </p>
      <div className="pictures">
        <Picture id="noisy" pixels={noisy}>
          with noise
        </Picture>
        <Picture id="result" pixels={run.result}>
          {run.state === 'done' ? 'after attention' : run.state === 'busy' ? 'computing …' : 'nothing yet'}
        </Picture>
      </div>
      {problem && <p role="alert">{problem.message}</p>}
      {run.state === 'done' && <Report run={run} noisy={noisy} threads={engine.features.threads} />}
    </main>
  );
}

function Report({ run, noisy, threads }) {
  const clean = useMemo(cleanPicture, []);
  const { where, milliseconds, frames, longestGap, result } = run;
  const workers = threads === 2 ? 'one worker' : `${threads - 1} workers`;
  const page = threads === 1 ? 'this thread' : `this thread and ${workers}`;
  return (
    <dl id="report" data-where={where}>
      <dt>computed by</dt>
      <dd>{where === 'workers' ? workers : page}</dd>
      <dt>time</dt>
      <dd>
        <span id="time">{milliseconds.toFixed(0)}</span> ms
      </dd>
      <dt>frames meanwhile</dt>
      <dd id="frames">{frames}</dd>
      <dt>longest time without one</dt>
      <dd>
        <span id="gap">{longestGap.toFixed(0)}</span> ms
      </dd>
      <dt>off the clean picture</dt>
      <dd>
        {distance(noisy, clean).toFixed(3)} before, {distance(result, clean).toFixed(3)} after
      </dd>
    </dl>
  );
}
