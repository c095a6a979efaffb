#!/usr/bin/env node
/** `mneme`: the command line. One file a command; this one puts them together and turns errors into sentences. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { benchCommand } from './bench.js';
import { doctorCommand } from './doctor.js';
import { evaluateCommand } from './evaluate.js';
import { endWithFailure } from './failure.js';
import { generateCommand } from './generate.js';
import { inspectCommand } from './inspect.js';
import { trainCommand } from './train.js';

const commands: readonly ((program: Command) => void)[] = [
  trainCommand,
  generateCommand,
  evaluateCommand,
  inspectCommand,
  benchCommand,
  doctorCommand,
];

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const program = new Command('mneme')
  .description('Recurrent networks, trained at the speed of the machine.')
  .version(version)
  .showHelpAfterError("Run 'mneme COMMAND --help' for the options of a command and an example.")
  .exitOverride()
  .addHelpText(
    'after',
    `
Example:
  mneme train --text book.txt --seconds 60 --out book.mneme
  mneme generate book.mneme --prime 'It was ' --length 500

Environment:
  MNEME_ISA      avx512, avx2 or portable: instruction set of the native engine (default: the best there is)
  MNEME_THREADS  threads (default: the cores available)
  MNEME_ENGINE   native or reference (default: native where it loads)
  MNEME_DEBUG    1: errors with their stack`,
  );
for (const add of commands) add(program);

// A reader that closes the pipe early (`mneme generate ... | head`) is no error, and ends the work. A terminal that was
// closed, and a reader of complaints that went away, leave nobody to tell, but work to be saved.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  if (error.code !== 'EIO') throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
});

program.parseAsync().catch(endWithFailure);
