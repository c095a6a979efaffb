/** `mneme evaluate`: how well a model predicts a text. */
import { type Command, Option } from 'commander';
import { MnemeError } from '../errors.js';
import { evaluate, losses, openText } from '../index.js';
import { number } from './numbers.js';
import { partBatches } from './part-batches.js';
import { trainedModel } from './trained-model.js';

interface EvaluateOptions {
  readonly text: string;
  readonly part: 'all' | 'training' | 'validation' | 'test';
  readonly validation: number;
  readonly test: number;
  readonly json?: true;
}

const share = number({ minimum: 0, below: 1 });

export function evaluateCommand(program: Command): void {
  program
    .command('evaluate')
    .description('Measure how well a model predicts a text: its loss a symbol, in nats and bits.')
    .argument('<dir>', 'directory of the model')
    .requiredOption('--text <file>', 'text, UTF-8')
    .addOption(
      new Option('--part <part>', 'which part of the text')
        .choices(['all', 'training', 'validation', 'test'])
        .default('all'),
    )
    .option('--validation <share>', 'share of the text that was for validation', share, 0.05)
    .option('--test <share>', "share at the text's end that was left for testing", share, 0.05)
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
Example:
  mneme evaluate book.mneme --text book.txt --part test`,
    )
    .action(evaluateText);
}

async function evaluateText(directory: string, options: EvaluateOptions): Promise<void> {
  const model = await trainedModel(directory);
  if (!model.vocabulary) {
    throw new MnemeError(
      'invalid-argument',
      `${directory} holds a model without a vocabulary; evaluate needs a model of text.`,
    );
  }
  const shares = options.part === 'all' ? {} : { validation: options.validation, test: options.test };
  const text = await openText(options.text, { vocabulary: model.vocabulary, ...shares });
  const part = text[options.part === 'all' ? 'training' : options.part];
  const batches = partBatches(part);
  if (!batches) {
    throw new MnemeError('insufficient-data', `${options.text}: nothing to predict in ${part.length} symbols.`);
  }
  const loss = await evaluate(model, batches, { loss: losses.softmaxCrossEntropy() });
  const result = { tokens: batches.tokens, loss, bits: loss / Math.LN2, perplexity: Math.exp(loss) };
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    process.stdout.write(
      `${loss.toFixed(4)} nats a symbol, ${result.bits.toFixed(4)} bits, perplexity ${result.perplexity.toFixed(3)}, ` +
        `over ${batches.tokens.toLocaleString('en-US')} symbols\n`,
    );
  }
}
