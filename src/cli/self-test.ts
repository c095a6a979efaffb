/** A second's test of an engine: a small network must learn as the double-precision reference does. */
import {
  createReferenceEngine,
  createTrainer,
  type Engine,
  layers,
  losses,
  sequential,
  textFromString,
  updaters,
} from '../index.js';

export interface SelfTestResult {
  readonly passed: boolean;
  /** A sentence for people. */
  readonly says: string;
}

/** Rounding to f32 moves losses around 3 by some 1e-7; a wrong kernel moves them by far more than this. */
const tolerance = 1e-4;

export async function selfTest(engine: Engine): Promise<SelfTestResult> {
  const start = performance.now();
  const expected = await learningCurve(createReferenceEngine({ precision: 'f64' }));
  const found = await learningCurve(engine);
  const difference = Math.max(...expected.map((loss, step) => Math.abs(loss - found[step]!)));
  const passed = difference < tolerance && expected.at(-1)! < expected[0]!;
  const against = `${expected.length} training steps against the double-precision reference`;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  return {
    passed,
    says: `${passed ? 'passed' : 'FAILED'}: ${against}, losses differ by at most ${difference.toExponential(1)} (${seconds} s)`,
  };
}

async function learningCurve(engine: Engine): Promise<readonly number[]> {
  const text = textFromString('The quick brown fox jumps over the lazy dog. '.repeat(40));
  const vocabulary = text.vocabulary.size;
  using model = sequential(
    [
      layers.embedding({ vocabulary, units: 8 }),
      layers.lstm({ units: 20 }),
      layers.gru({ units: 20 }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: 1, engine },
  );
  using trainer = createTrainer(model, {
    loss: losses.softmaxCrossEntropy(),
    updater: updaters.adam({ learningRate: 1e-2 }),
    clip: { globalNorm: 1 },
  });
  const curve: number[] = [];
  const listener = { onStep: ({ loss }: { readonly loss: number }) => curve.push(loss) };
  await trainer.fit(text.batches({ batch: 8, steps: 20 }), { epochs: 2, listeners: [listener] });
  return curve;
}
