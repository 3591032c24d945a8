/** An engine for as long as a component lives, with threads where there are any: { engine, error }; neither while it is made. */
import { createEngine } from 'heed';
import { useEffect, useState } from 'react';

export function useEngine() {
  const [state, setState] = useState({});
  useEffect(() => {
    let gone = false;
    // Two at least, on a single core too: an asynchronous call is computed by the other threads, which leaves this one to paint.
    const threads = Math.min(8, Math.max(2, navigator.hardwareConcurrency));
    let alone;
    const making = createEngine({ threads }).catch((error) => {
      // Without threads this one can still compute, and the page says why it is alone.
      alone = error;
      return createEngine({ threads: 1 });
    });
    making.then(
      (engine) => gone || setState({ engine, error: alone }),
      (error) => gone || setState({ error }),
    );
    return () => {
      gone = true;
      making.then(
        (engine) => engine.dispose(),
        () => undefined, // said above
      );
    };
  }, []);
  return state;
}
