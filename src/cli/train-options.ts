/** The options of `mneme train` that make a run: its checkpoints keep them, as the words of a command line. */
import { Command, Option } from 'commander';
import { cells, type LanguageModelOptions } from './language-model.js';
import { number, wholeNumber } from './numbers.js';

export interface RunOptions extends Omit<LanguageModelOptions, 'threads'> {
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
  readonly checkpointSteps?: number;
  readonly checkpointMinutes?: number;
  readonly checkpointKeep: number;
}

/** Where each updater learns well with the defaults of the other options. */
export const learningRates = { adam: 8e-3, rmsprop: 2e-3, adagrad: 2e-2, nesterovs: 0.1, sgd: 1 } as const;

const share = number({ minimum: 0, below: 1 });

export function addRunOptions(command: Command): Command {
  return command
    .option('--text <file>', 'text to learn from, UTF-8')
    .addOption(
      new Option('--cell <cell>', 'recurrent cell; graves: an LSTM with peepholes')
        .choices(Object.keys(cells))
        .default('lstm'),
    )
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
    .option('--validation <share>', 'share of the text that measures progress', share, 0.05)
    .option('--test <share>', "share at the text's end left for `mneme evaluate`", share, 0.05)
    .option('--checkpoint-steps <n>', 'save what is needed to go on every so many steps', wholeNumber(1))
    .option('--checkpoint-minutes <m>', '... every so many minutes (default: 5)', number({ above: 0 }))
    .option('--checkpoint-keep <n>', 'checkpoints that stay, beside the best model', wholeNumber(1), 3);
}

/** With everything said that would otherwise be a default: another version may have others. */
export const settled = (options: RunOptions): RunOptions => ({
  ...options,
  ...(options.seconds === undefined ? { epochs: options.epochs ?? 10 } : {}),
  learningRate: options.learningRate ?? learningRates[options.updater],
});

/** Options as words: `--cell=lstm`. */
export function wordsOf(options: RunOptions): string[] {
  const values = new Map<string, unknown>(Object.entries(options));
  return addRunOptions(new Command()).options.flatMap((option) => {
    const value = values.get(option.attributeName());
    return value === undefined ? [] : [`${option.long}=${value}`];
  });
}

/** @throws {CommanderError} for words that `mneme train` would refuse */
export function optionsOf(words: readonly string[]): RunOptions {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  return addRunOptions(command).parse(words, { from: 'user' }).opts();
}

function rates(): string {
  return Object.entries(learningRates)
    .map(([name, rate]) => `${name} ${rate}`)
    .join(', ');
}
