/**
 * A dot that goes round, moved by this thread at every frame: it stands still when the thread is busy, as a CSS animation would
 * not. Beside it the frames of the last second.
 */
import { useEffect, useRef } from 'react';

export function Spinner() {
  const [dot, count] = [useRef(null), useRef(null)];
  useEffect(() => {
    let times = [];
    let request = requestAnimationFrame(function frame(now) {
      times = [...times.filter((time) => time > now - 1000), now];
      // Past React: sixty times a second there is nothing else to compare or to draw anew.
      dot.current.style.transform = `rotate(${(now / 1000) % 1}turn)`;
      count.current.textContent = `${times.length} frames in the last second`;
      request = requestAnimationFrame(frame);
    });
    return () => cancelAnimationFrame(request);
  }, []);
  return (
    <p className="spinner">
      <svg viewBox="-12 -12 24 24" width="32" height="32" aria-hidden="true">
        <circle r="9" className="track" />
        <circle ref={dot} cy="-9" r="3" className="dot" />
      </svg>
      <span ref={count} />
    </p>
  );
}
