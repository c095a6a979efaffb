/** Ctrl-C, SIGTERM and the end of the terminal as an AbortSignal: the first asks the work to end well, the second ends the process at once. */
import { exitCodes } from './failure.js';

export interface Interruption {
  readonly signal: AbortSignal;
  /** Gives Ctrl-C its usual meaning back. */
  release(): void;
}

export function interruption(): Interruption {
  const controller = new AbortController();
  let first = 0;
  const interrupt = (): void => {
    if (!controller.signal.aborted) {
      first = performance.now();
      controller.abort();
    } else if (performance.now() - first > samePress) {
      process.exit(exitCodes.interrupted);
    }
  };
  for (const name of signals) process.on(name, interrupt);
  return {
    signal: controller.signal,
    release() {
      for (const name of signals) process.off(name, interrupt);
    },
  };
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Milliseconds. Under npx, one Ctrl-C arrives twice: from the terminal, and passed on by npm. */
const samePress = 300;
