/** Runs what it is given, at most `width` at a time, in order. What is aborted before its turn never runs. */
export function createLane(width) {
  const waiting = [];
  let running = 0;

  function next() {
    if (running >= width) return;
    const entry = waiting.shift();
    if (!entry) return;
    running++;
    entry.run().then(entry.resolve, entry.reject).finally(done);
    next();
  }
  function done() {
    running--;
    next();
  }

  return (run, signal) =>
    new Promise((resolve, reject) => {
      const entry = { run, resolve, reject };
      waiting.push(entry);
      signal.addEventListener(
        'abort',
        () => {
          const place = waiting.indexOf(entry);
          if (place < 0) return;
          waiting.splice(place, 1);
          reject(signal.reason);
        },
        { once: true },
      );
      next();
    });
}
