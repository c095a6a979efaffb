/** `mneme train`: a recurrent language model from a text file. */
import type { Command } from 'commander';
import { interruption } from './interruption.js';
import { wholeNumber } from './numbers.js';
import { requireWritable } from './output-directory.js';
import { readRun, requireNothingUnfinished } from './resumption.js';
import { requireSameText, textSource } from './text-source.js';
import { addRunOptions, type RunOptions, settled } from './train-options.js';
import { jsonReport, textReport } from './training-report.js';
import { runTraining, type TrainingRun } from './training-run.js';

interface TrainOptions extends RunOptions {
  readonly out: string;
  readonly overwrite?: true;
  readonly resume?: string;
  readonly previous?: true;
  readonly threads?: number;
  readonly json?: true;
}

/** What may be said when a run goes on; everything else is as it was. */
const resumable = ['resume', 'previous', 'text', 'threads', 'json'];

export function trainCommand(program: Command): void {
  const command = program
    .command('train')
    .description('Train a recurrent network to write like a text, and save it.')
    .usage('--text <file> [options]\n       mneme train --resume <dir> [--threads <n>] [--json]');
  addRunOptions(command)
    .option('--threads <n>', 'threads (default: MNEME_THREADS, or the cores available)', wholeNumber(1, 256))
    .option('--out <dir>', 'directory of the model, and of the checkpoints within it', 'model.mneme')
    .option('--overwrite', 'begin anew in a directory with a run that was not finished, and remove that')
    .option('--resume <dir>', 'go on with the run in this directory, from its newest checkpoint')
    .option('--previous', 'with --resume: from the one before the newest, if that is damaged')
    .option('--json', 'one JSON object a line on standard output')
    .addHelpText(
      'after',
      `
Losses are nats a symbol. Ctrl-C, SIGTERM and SIGHUP end training after the current step and save the model and a
checkpoint.
A run that was interrupted, however it was, goes on with --resume and ends as if it had not been: all options and
the text are those of the run, only --threads and --json may differ (and --text, if the file was moved).

Example:
  mneme train --text book.txt --seconds 60 --out book.mneme
  mneme generate book.mneme --prime 'It was ' --length 500
  mneme train --resume book.mneme`,
    )
    .action((options: TrainOptions) => train(options, command));
}

async function train(options: TrainOptions, command: Command): Promise<void> {
  const report = options.json ? jsonReport() : textReport();
  const { signal, release } = interruption();
  try {
    const run = options.resume === undefined ? begun(options, signal, command) : resumed(options, signal, command);
    await runTraining(await run, report);
  } finally {
    report.stop();
    release();
  }
}

async function begun(options: TrainOptions, signal: AbortSignal, command: Command): Promise<TrainingRun> {
  const { text, out: directory, overwrite = false, threads } = options;
  if (text === undefined) refuse(command, "required option '--text <file>' not specified");
  if (options.previous) refuse(command, "option '--previous' needs '--resume <dir>'");
  await requireWritable(directory);
  if (!overwrite) await requireNothingUnfinished(directory);
  const source = await textSource(text, signal);
  return { options: settled(options), text: source, directory, threads, signal, beginning: { overwrite } };
}

async function resumed(options: TrainOptions, signal: AbortSignal, command: Command): Promise<TrainingRun> {
  const { resume: directory = '', previous, threads } = options;
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli' || resumable.includes(name)) continue;
    refuse(command, `option '${option.flags}' cannot be used with '--resume': the run goes on with its own`);
  }
  const resume = previous ? 'previous' : 'latest';
  const run = await readRun(directory, resume);
  const file = options.text ?? run.text.path;
  await requireSameText(run.text, file, signal);
  const text = { ...run.text, path: file };
  return { options: run.options, text, directory, threads, signal, beginning: { resume } };
}

function refuse(command: Command, message: string): never {
  command.error(`error: ${message}`);
}
