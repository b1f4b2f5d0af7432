import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Loaded into a service with `--import`: samples the delay of its event loop every millisecond. Whoever connects to the Unix
 * socket named by BENCH_LOOP_DELAY_SOCKET gets, as JSON in ms, what was measured since the last one did.
 */
const histogram = monitorEventLoopDelay({ resolution: 1 });
histogram.enable();
createServer((socket) => {
  socket.end(JSON.stringify({ p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6, count: histogram.count }));
  histogram.reset();
})
  .listen(process.env['BENCH_LOOP_DELAY_SOCKET'])
  .unref();
