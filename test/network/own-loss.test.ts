/** A loss that a user writes as a formula, as docs/extending.md shows it, is as good as ours. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile } from '../../src/compute/compiler.js';
import { gradients } from '../../src/compute/gradients.js';
import { input } from '../../src/compute/graph.js';
import { createTrainer, type Loss, layers, loss, losses, sequential, tensor, updaters } from '../../src/index.js';

/** What the page shows, run. */
function documented(): Loss {
  const page = readFileSync(new URL('../../docs/extending.md', import.meta.url), 'utf8');
  const code = /^## A loss$.*?^```js\n(.*?)^```$/ms.exec(page)![1]!;
  return new Function('loss', `${code}\nreturn asymmetric;`)(loss) as Loss;
}

it('trains: the documented loss draws the output up harder than down', async () => {
  const model = sequential([layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros' })], {
    input: { features: 1, sequence: false },
  });
  const trainer = createTrainer(model, { loss: documented(), updater: updaters.sgd({ learningRate: 0.1 }) });
  // The output is 0: too low by 1, then, started anew, too high by 1.
  const [inputs, weights] = [tensor([1], [1, 1]), async () => (await model.network.readParameters())[0]!];
  const low = await trainer.step({ inputs, targets: tensor([1], [1, 1]), continues: false });
  expect(low.loss).toBeCloseTo(4, 6);
  expect(await weights()).toBeCloseTo(0.8, 6);
  await model.network.writeParameters(Float32Array.of(0));
  const high = await trainer.step({ inputs, targets: tensor([-1], [1, 1]), continues: false });
  expect(high.loss).toBeCloseTo(1, 6);
  expect(await weights()).toBeCloseTo(-0.2, 6);
});

it('becomes the same instructions as one of ours with that formula, so it is as fast', () => {
  const own = loss('own', (output, target) => {
    const error = output.sub(target).abs();
    return error.lessOrEqual(1).select(error.square().mul(0.5), error.sub(0.5));
  });
  const programOf = (which: Loss) => {
    const output = input('output', [5, 3, 4], 'f32');
    const value = which.apply({
      output,
      targets: input('targets', [5, 3, 4], 'f32'),
      mask: input('mask', [5, 3], 'f32'),
    });
    return compile({ name: 'loss', outputs: { value, gradient: gradients(value, [output])[0]! }, assignments: [] });
  };
  const program = programOf(own);
  expect(program).toEqual(programOf(losses.huber()));
  // The sum of the mask, the weights, the loss and the gradient.
  expect(program.instructions.map(({ operation }) => operation)).toEqual(['reduce', 'map', 'reduce', 'map']);
});
