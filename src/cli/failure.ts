/** How a command ends when it cannot do its work: one sentence, and an exit code that a script can tell apart. */
import { CommanderError } from 'commander';

/** 1: could not be done; 2: wrongly called; 130: interrupted (as shells have it, 128 + SIGINT). */
export const exitCodes = { failed: 1, usage: 2, interrupted: 130 } as const;

/** Says what went wrong on standard error (with its stack if MNEME_DEBUG is set) and sets the exit code. */
export function endWithFailure(error: unknown): void {
  if (error instanceof CommanderError) {
    // Help and version end here too, with code 0. Commander has printed its message already.
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
    return;
  }
  const debug = process.env.MNEME_DEBUG;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`mneme: ${debug && error instanceof Error ? error.stack : message}\n`);
  process.exitCode = exitCodes.failed;
}
