/** Whole training steps through the trainer that users have. */
import {
  type Batch,
  type Batches,
  createTrainer,
  type Layer,
  layers,
  losses,
  type Model,
  type StepRecord,
  sequential,
  type Trainer,
  tensor,
  updaters,
} from '../../index.js';
import type { StepCase } from './cases.js';
import type { TimedRun } from './timed-run.js';

/** Its time is that from the first step that came back to the last. */
export function trainingRun(what: StepCase, threads: number): TimedRun {
  const model = sequential(layersOf(what), {
    seed: 1,
    threads,
    ...(what.symbols > 0 ? {} : { input: { features: what.input } }),
  });
  const trainer = createTrainer(model, {
    loss: losses.softmaxCrossEntropy(),
    updater: updaters.adam({ learningRate: 1e-3 }),
    clip: { globalNorm: 5 },
  });
  const batch = batchOf(what);
  return { time: (steps) => train(trainer, batch, steps), dispose: () => dispose(trainer, model) };
}

async function train(trainer: Trainer, batch: Batch, steps: number): Promise<number> {
  const batches: Batches = {
    length: steps,
    tokens: steps * batch.targets.data.length,
    *epoch() {
      for (let step = 0; step < steps; step++) yield batch;
    },
  };
  let first: StepRecord | undefined;
  let last: StepRecord | undefined;
  const onStep = (record: StepRecord): void => {
    first ??= record;
    last = record;
  };
  await trainer.fit(batches, { listeners: [{ onStep }] });
  return (1000 * (last!.seconds - first!.seconds)) / (last!.step - first!.step);
}

function dispose(trainer: Trainer, model: Model): void {
  trainer.dispose();
  model.dispose();
}

function layersOf(what: StepCase): Layer[] {
  const recurrent = Array.from({ length: what.layers }, () => layers[what.cell]({ units: what.units }));
  return what.symbols > 0
    ? [layers.oneHot({ vocabulary: what.symbols }), ...recurrent, layers.dense({ units: what.symbols })]
    : [...recurrent, layers.lastStep(), layers.dense({ units: what.classes })];
}

function batchOf({ batch, time, symbols, input, classes }: StepCase): Batch {
  const ids = (length: number, limit: number) => Int32Array.from({ length }, (_, index) => (index * 7919) % limit);
  if (symbols > 0) {
    const rows = [batch, time];
    return {
      inputs: tensor(ids(batch * time, symbols), rows),
      targets: tensor(ids(batch * time, symbols), rows),
      continues: true,
    };
  }
  const numbers = Float32Array.from({ length: batch * time * input }, (_, index) => Math.sin(index));
  return {
    inputs: tensor(numbers, [batch, time, input]),
    targets: tensor(ids(batch, classes), [batch]),
    continues: false,
  };
}
