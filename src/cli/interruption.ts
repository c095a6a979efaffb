/** Ctrl-C and SIGTERM as an AbortSignal: the first asks the work to end well, the second ends the process at once. */
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
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}

/** Milliseconds. Under npx, one Ctrl-C arrives twice: from the terminal, and passed on by npm. */
const samePress = 300;
