/**
 * Losses and their gradients agree with PyTorch and Keras.
 *
 * Not among the cases, because mneme does not have it yet: class and sample weights, ignored targets, label smoothing,
 * masks, cross entropies of probabilities instead of logits, losses of single targets (reduction none), and all other
 * losses. A sum over targets is 'sumOverTime' of a batch of one row.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { gradients } from '../../src/compute/gradients.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { losses } from '../../src/network/losses/index.js';
import type { Loss } from '../../src/network/losses/loss.js';
import type { Reduction } from '../../src/network/losses/reduction.js';
import { exact, native } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';
import { checker, type FixtureCase, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';

type Library = 'pytorch' | 'keras';
const plain = ['weighted', 'ignored', 'label_smoothing', 'masked', 'positive'];

function lossFor(library: Library, { name, options }: FixtureCase): ((reduction: Reduction) => Loss) | undefined {
  if (plain.some((option) => options[option]) || options.reduction === 'none') return undefined;
  if (library === 'keras') {
    const { function: kind, from_logits } = options;
    if (kind === 'MeanSquaredError') return (reduction) => losses.meanSquaredError({ reduction });
    if (!from_logits) return undefined;
    if (kind === 'BinaryCrossentropy') return (reduction) => losses.sigmoidCrossEntropy({ reduction });
    return (reduction) => losses.softmaxCrossEntropy({ reduction });
  }
  if (name.startsWith('cross-entropy')) return (reduction) => losses.softmaxCrossEntropy({ reduction });
  if (name.startsWith('bce-logits')) return (reduction) => losses.sigmoidCrossEntropy({ reduction });
  if (name.startsWith('mse')) return (reduction) => losses.meanSquaredError({ reduction });
  return undefined;
}

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
const libraries = [
  ['pytorch', 7],
  ['keras', 5],
] as const;

for (const [library, count] of libraries) {
  const cases = fixtureCases(library, 'loss').filter((fixture) => lossFor(library, fixture));

  describe.skipIf(fixturesAbsent(library))(`losses as ${library} computes them`, () => {
    it('leaves out only what is not built', () => {
      expect(cases.map(({ name }) => name)).toHaveLength(count);
    });

    for (const [engineName, engine] of engines) {
      describe.skipIf(!engine)(engineName, () => {
        it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
          const tensors = fixtureTensors(library, fixture);
          const summed = fixture.options.reduction === 'sum';
          // A sum is that over the steps of one row: [steps, 1, features].
          const steps = (value: Tensor) =>
            summed ? tensor(value.data, [value.shape[0]!, 1, ...value.shape.slice(1)]) : value;
          const output = steps(tensors[library === 'keras' ? 'y_pred' : 'x']!);
          const targets = steps(tensors[library === 'keras' ? 'y_true' : 'target']!);
          const loss = lossFor(library, fixture)!(summed ? 'sumOverTime' : 'mean');
          // PyTorch sums over the features of a target too where ours takes their mean.
          const perFeature = library === 'pytorch' && loss.name !== 'softmaxCrossEntropy';
          const scale = summed && perFeature ? features(output) : 1;
          const got = await evaluateGraph(engine!, { output, targets }, ({ output, targets }) => {
            const value = loss.apply({ output: output!, targets: targets! });
            return { value, gradient: gradients(value, [output!])[0]! };
          });
          const check = checker(fixture, engine!);
          check('loss', 'output', scaled(got.value!, scale), tensors.loss!);
          const want = tensors[library === 'keras' ? 'grad.y_pred' : 'grad.x']!;
          check('gradient', 'gradient', scaled(got.gradient!, scale), want);
        });
      });
    }
  });
}

const features = ({ shape }: Tensor): number => shape.at(-1)!;

const scaled = ({ data, shape }: Tensor, factor: number): Tensor =>
  tensor(
    Float64Array.from(data, (value) => value * factor),
    shape,
  );
