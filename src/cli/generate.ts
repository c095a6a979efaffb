/** `mneme generate`: text from a model, streamed to standard output. */
import type { Command } from 'commander';
import { number, wholeNumber } from './numbers.js';
import { trainedModel } from './trained-model.js';

interface GenerateOptions {
  readonly prime: string;
  readonly length: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed?: number;
  readonly stop?: string;
}

export function generateCommand(program: Command): void {
  program
    .command('generate')
    .description('Write text with a trained model.')
    .argument('<dir>', 'directory of the model')
    .requiredOption('--prime <text>', 'text that the model reads first; printed too')
    .option('--length <n>', 'symbols to write', wholeNumber(0), 500)
    .option(
      '--temperature <x>',
      'below 1 more cautious, above 1 bolder, 0 always the likeliest',
      number({ minimum: 0 }),
      0.8,
    )
    .option('--top-k <n>', 'draw from so many likeliest symbols only; 0: from all', wholeNumber(0), 0)
    .option(
      '--top-p <p>',
      'draw from the likeliest symbols that reach this probability',
      number({ above: 0, maximum: 1 }),
      1,
    )
    .option('--seed <n>', 'the same seed writes the same text (default: another each time)', wholeNumber(0))
    .option('--stop <text>', 'end before this text')
    .addHelpText(
      'after',
      `
Example:
  mneme generate book.mneme --prime 'It was ' --length 1000 --temperature 0.6 --seed 7`,
    )
    .action(generate);
}

async function generate(directory: string, { prime, ...options }: GenerateOptions): Promise<void> {
  const session = (await trainedModel(directory)).session();
  const text = session.generate(prime, options);
  process.stdout.write(prime);
  for await (const characters of text) process.stdout.write(characters);
  process.stdout.write('\n');
}
