/** The values that the parameters of a network start with. */
import { compile } from '../compute/compiler.js';
import type { Engine } from '../compute/engine/engine.js';
import type { NativeEngine } from '../compute/engine/native.js';
import { input } from '../compute/graph.js';
import { matmul } from '../compute/operations/index.js';
import { normals, uniforms } from '../compute/random.js';
import { MnemeError } from '../errors.js';
import type { RandomNumbers } from './initializers.js';
import type { Product } from './orthogonal-blocks.js';
import { purposeOf } from './purpose.js';
import type { Traceable } from './trace.js';

/**
 * All parameters, flat in the order of the layout. Each depends on the seed, its name and its shape only: adding a
 * layer of another kind changes no other parameter.
 *
 * @throws {MnemeError} `invalid-shape`, `invalid-option`, `not-finite`: which parameter's initializer, and why
 */
export function initialParameters(network: Traceable & { readonly engine: Engine }): Float32Array {
  const { layers, signals, parameterLayout, layerNames, seed, engine } = network;
  const last = parameterLayout.at(-1);
  const values = new Float32Array(last ? last.offset + last.length : 0);
  const specifications = new Map(
    layers.flatMap((layer, index) =>
      Object.entries(layer.parameters(signals[index]!)).map(([name, specification]) => [
        `${layerNames[index]}/${name}`,
        specification,
      ]),
    ),
  );
  const multiply = isNative(engine) ? productOn(engine) : undefined;
  for (const { name, shape, offset } of parameterLayout) {
    try {
      values.set(specifications.get(name)!.initializer(shape, numbersFor(seed, name), multiply), offset);
    } catch (error) {
      if (!(error instanceof MnemeError)) throw error;
      throw new MnemeError(error.code, `${name}: ${error.message}`);
    }
  }
  return values;
}

function numbersFor(seed: number, name: string): RandomNumbers {
  const purpose = purposeOf(name);
  let start = 0;
  const next = (count: number) => {
    start += count;
    return { seed, purpose, start: start - count };
  };
  return {
    uniform: (count) => uniforms(count, next(count)),
    normal: (count) => normals(count, next(count)),
  };
}

const isNative = (engine: Engine): engine is NativeEngine => 'execute' in engine;

/** The matrix product of the native engine, run at once on the calling thread and a team. */
export function productOn(engine: NativeEngine): Product {
  return (a, b, { transposeA = false } = {}) => {
    const value = matmul(input('a', [a.rows, a.columns], 'f32'), input('b', [b.rows, b.columns], 'f32'), {
      transposeA,
    });
    const program = engine.load(compile({ name: 'product', outputs: { c: value }, assignments: [] }));
    const [rows, columns] = [transposeA ? a.columns : a.rows, b.columns];
    const data = new Float32Array(rows * columns);
    try {
      engine.execute(program, engine.defaultThreads, [a.data, b.data, null], [data]);
    } finally {
      program.dispose();
    }
    return { rows, columns, data };
  };
}
