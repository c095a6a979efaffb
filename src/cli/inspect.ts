/** `mneme inspect`: what a model consists of, and what a training step of it does. */
import type { Command } from 'commander';
import { printProgram } from '../compute/compiler.js';
import { elementCount } from '../compute/tensor.js';
import { losses, type Model, type Signal, type Tensor, tensor, updaters } from '../index.js';
import { batchShape } from '../training/batch-shape.js';
import { trainingRule } from '../training/rule.js';
import { trainStep } from '../training/train-step.js';
import { wholeNumber } from './numbers.js';
import { trainedModel } from './trained-model.js';

interface InspectOptions {
  readonly batch: number;
  readonly steps: number;
  readonly tokens?: number;
  readonly program?: true;
  readonly json?: true;
}

export function inspectCommand(program: Command): void {
  program
    .command('inspect')
    .description('Show the layers, shapes, parameters and memory of a model.')
    .argument('<dir>', 'directory of the model')
    .option('--batch <n>', 'rows of the training step in question', wholeNumber(1), 50)
    .option('--steps <n>', 'steps of each row', wholeNumber(1), 50)
    .option('--tokens <n>', 'training tokens, to set against the parameters', wholeNumber(0))
    .option('--program', 'print the instructions of a training step (Adam, clipping by global norm)')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
Example:
  mneme inspect book.mneme --program`,
    )
    .action(inspect);
}

async function inspect(directory: string, { batch, steps, ...options }: InspectOptions): Promise<void> {
  const model = await trainedModel(directory);
  const tokens = options.tokens === undefined ? {} : { tokens: options.tokens };
  const { text, ...summary } = model.summary({ batch, steps, ...tokens });
  if (options.json) {
    const vocabulary = model.vocabulary ? { vocabulary: model.vocabulary.size } : {};
    process.stdout.write(`${JSON.stringify({ ...summary, ...vocabulary })}\n`);
    return;
  }
  process.stdout.write(`${text}\n`);
  if (options.program) process.stdout.write(`\n${printProgram(stepOf(model, batch, steps))}\n`);
}

function stepOf({ network }: Model, batch: number, steps: number) {
  const loss = losses.softmaxCrossEntropy();
  const rule = trainingRule(network, { loss, updater: updaters.adam(), clip: { globalNorm: 1 } });
  const inputs = zeros(network.inputSignal, batch, steps);
  const { sequence } = network.outputSignal;
  const targets = zeros({ kind: 'ids', vocabulary: 1, sequence }, batch, steps);
  const shape = batchShape(network, loss, { inputs, targets, continues: true });
  return trainStep(network, rule, { ...shape, initialStates: 'stored' });
}

function zeros(signal: Signal, batch: number, steps: number): Tensor {
  const rows = signal.sequence ? [batch, steps] : [batch];
  if (signal.kind === 'ids') return tensor(new Int32Array(elementCount(rows)), rows);
  const shape = [...rows, signal.features];
  return tensor(new Float32Array(elementCount(shape)), shape);
}
