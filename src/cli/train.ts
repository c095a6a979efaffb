/** `mneme train`: a recurrent language model from a text file. */
import { type Command, Option } from 'commander';
import { createTrainer, losses, openText, type Schedule, schedules, type Updater, updaters } from '../index.js';
import { exitCodes } from './failure.js';
import { interruption } from './interruption.js';
import { type LanguageModelOptions, languageModel } from './language-model.js';
import { number, wholeNumber } from './numbers.js';
import { requireWritable } from './output-directory.js';
import { partBatches } from './part-batches.js';
import { jsonReport, textReport } from './training-report.js';

interface TrainOptions extends LanguageModelOptions {
  readonly text: string;
  readonly batch: number;
  readonly steps: number;
  readonly epochs?: number;
  readonly seconds?: number;
  readonly updater: keyof typeof learningRates;
  readonly learningRate?: number;
  readonly schedule: 'constant' | 'cosine';
  readonly clipNorm: number;
  readonly validation: number;
  readonly test: number;
  readonly out: string;
  readonly json?: true;
}

/** Where each updater learns well with the defaults of the other options. */
const learningRates = { adam: 8e-3, rmsprop: 2e-3, adagrad: 2e-2, nesterovs: 0.1, sgd: 1 } as const;

const share = number({ minimum: 0, below: 1 });

export function trainCommand(program: Command): void {
  program
    .command('train')
    .description('Train a recurrent network to write like a text, and save it.')
    .requiredOption('--text <file>', 'text to learn from, UTF-8')
    .addOption(new Option('--cell <cell>', 'recurrent cell').choices(['lstm', 'gru', 'rnn']).default('lstm'))
    .option('--layers <n>', 'recurrent layers', wholeNumber(1), 2)
    .option('--units <n>', 'units of each recurrent layer', wholeNumber(1), 128)
    .option('--embedding <n>', 'length of the vector that stands for a symbol; 0: one-hot', wholeNumber(0), 64)
    .option('--dropout <p>', 'share of the outputs dropped behind each recurrent layer', share, 0)
    .option('--batch <n>', 'rows of text read side by side', wholeNumber(1), 50)
    .option('--steps <n>', 'symbols of each row in a step: how far gradients reach back', wholeNumber(1), 50)
    .addOption(
      new Option('--epochs <n>', 'passes over the text (default: 10)').argParser(wholeNumber(1)).conflicts('seconds'),
    )
    .option('--seconds <s>', 'train so long instead; the schedule spans this time', number({ above: 0 }))
    .addOption(new Option('--updater <name>', 'rule of the update').choices(Object.keys(learningRates)).default('adam'))
    .option('--learning-rate <x>', `highest learning rate (default: ${rates()})`, number({ above: 0 }))
    .addOption(
      new Option('--schedule <name>', 'learning rate over time; cosine rises quickly, then falls to 0')
        .choices(['constant', 'cosine'])
        .default('cosine'),
    )
    .option('--clip-norm <x>', 'largest norm of the whole gradient; 0: no limit', number({ minimum: 0 }), 1)
    .option('--seed <n>', 'seed of weights and dropout', wholeNumber(0), 1)
    .option('--threads <n>', 'threads (default: MNEME_THREADS, or the cores available)', wholeNumber(1, 256))
    .option('--validation <share>', 'share of the text that measures progress', share, 0.05)
    .option('--test <share>', "share at the text's end left for `mneme evaluate`", share, 0.05)
    .option('--out <dir>', 'directory of the model', 'model.mneme')
    .option('--json', 'one JSON object a line on standard output')
    .addHelpText(
      'after',
      `
Losses are nats a symbol. Ctrl-C ends training after the current step and saves the model.

Example:
  mneme train --text book.txt --seconds 60 --out book.mneme
  mneme generate book.mneme --prime 'It was ' --length 500`,
    )
    .action(train);
}

async function train(options: TrainOptions): Promise<void> {
  await requireWritable(options.out);
  const { signal, release } = interruption();
  const text = await openText(options.text, { validation: options.validation, test: options.test, signal });
  const batches = text.batches({ batch: options.batch, steps: options.steps });
  const validation = partBatches(text.validation);
  const model = languageModel(text.vocabulary, options);
  const report = options.json ? jsonReport() : textReport();
  try {
    report.start(model, text);
    const trainer = createTrainer(model, {
      loss: losses.softmaxCrossEntropy(),
      updater: updaterOf(options),
      schedule: scheduleOf(options),
      ...(options.clipNorm > 0 ? { clip: { globalNorm: options.clipNorm } } : {}),
    });
    const length = options.seconds === undefined ? { epochs: options.epochs ?? 10 } : { seconds: options.seconds };
    const history = await trainer.fit(batches, {
      ...length,
      ...(validation ? { validation } : {}),
      signal,
      listeners: [report.listener],
    });
    await model.save(options.out);
    report.end(options.out, history);
    if (history.stopped === 'aborted') process.exitCode = exitCodes.interrupted;
  } finally {
    report.stop();
    release();
  }
}

function updaterOf({ updater, learningRate = learningRates[updater] }: TrainOptions): Updater {
  return updaters[updater]({ learningRate });
}

function scheduleOf({ schedule }: TrainOptions): Schedule {
  return schedule === 'constant'
    ? schedules.constant()
    : schedules.warmUp({ steps: 100, schedule: schedules.cosine() });
}

function rates(): string {
  return Object.entries(learningRates)
    .map(([name, rate]) => `${name} ${rate}`)
    .join(', ');
}
