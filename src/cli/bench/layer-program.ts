/** Any layer, forward and backward with all gradients, as a program on memory of its own: nothing is copied in or out. */
import { compile } from '../../compute/compiler.js';
import { pullback, sumOf } from '../../compute/gradients.js';
import { input, stored, type Value } from '../../compute/graph.js';
import { map, random } from '../../compute/operations/index.js';
import { elementCount, type Shape, tensor } from '../../compute/tensor.js';
import { defaultEngine, type Layer } from '../../index.js';
import type { TimedRun } from './timed-run.js';

export interface LayerProgram {
  readonly layer: Layer;
  readonly time: number;
  readonly batch: number;
  /** Features of the input. */
  readonly input: number;
  /** Whether the gradient of the input is computed: not where the layer is a network's first. */
  readonly inputGradient: boolean;
}

export function layerProgramRun(
  { layer, time, batch, input: features, inputGradient }: LayerProgram,
  threads: number,
): TimedRun {
  const engine = defaultEngine();
  const stream = engine.createStream({ threads });
  let length = 0;
  const place = (shape: Shape, name: string): Value => {
    const value = stored('state', length, shape, 'f32', name);
    length += 16 * Math.ceil(elementCount(shape) / 16);
    return value;
  };
  const signal = { kind: 'vectors', features, sequence: true } as const;
  const shapes = Object.entries(layer.parameters(signal)).map(([name, { shape }]) => [name, shape] as const);
  const parameters = Object.fromEntries(shapes.map(([name, shape]) => [name, place(shape, name)]));
  const x = place([time, batch, features], 'x');
  const { output } = layer.apply(
    { input: x, parameters, states: {}, training: true, random: noRandomNumbers, rate: () => 0 },
    signal,
  );
  const dy = place(output.shape, 'dy');
  const read = [...Object.values(parameters), x, dy];
  const wanted = [...Object.values(parameters), ...(inputGradient ? [x] : [])];
  const assignments = pullback([output], [dy], wanted).map((terms, index) => ({
    target: place(wanted[index]!.shape, `d${index}`),
    value: sumOf(terms)!,
  }));
  const memory = engine.allocate(length);
  // Numbers like those of trained weights: small, and none of them special.
  const step = input('step', [1], 'i32');
  const fill = engine.load(
    compile({
      name: 'fill',
      outputs: {},
      assignments: read.map((target, purpose) => ({
        target,
        value: map((u) => u.sub(0.5).mul(0.25), random(step, target.shape, { seed: 1, purpose, kind: 'uniform' })),
      })),
    }),
  );
  const program = engine.load(compile({ name: layer.kind, outputs: {}, assignments }));
  const filled = stream.submit({
    program: fill,
    memories: { state: memory },
    inputs: { step: tensor(Int32Array.of(0), [1]) },
  });
  return {
    async time(runs) {
      await filled;
      const start = performance.now();
      for (let run = 0; run < runs; run++) await stream.submit({ program, memories: { state: memory }, inputs: {} });
      return (performance.now() - start) / runs;
    },
    dispose: () => {
      void stream.close().then(() => memory.dispose());
      program.dispose();
      fill.dispose();
    },
  };
}

const noRandomNumbers = (): never => {
  throw new Error('a measured layer draws nothing');
};
