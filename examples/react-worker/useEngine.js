/** An engine with threads for as long as a component lives: { engine } or { error }; neither while it is made. */
import { createEngine } from 'heed';
import { useEffect, useState } from 'react';

export function useEngine() {
  const [state, setState] = useState({});
  useEffect(() => {
    let gone = false;
    // Two at least, on a single core too: an asynchronous call is computed by the other threads, which leaves this one to paint.
    const threads = Math.min(8, Math.max(2, navigator.hardwareConcurrency));
    const making = createEngine({ threads });
    making.then(
      (engine) => gone || setState({ engine }),
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
