/** Gradients against central differences, in double precision. */
import { expect } from 'vitest';
import { compile } from '../../src/compute/compiler.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { gradients } from '../../src/compute/gradients.js';
import { input, type Value } from '../../src/compute/graph.js';
import { normals } from '../../src/compute/random.js';
import { elementCount, type Shape, type Tensor, tensor } from '../../src/compute/tensor.js';

const engine = createReferenceEngine({ precision: 'f64' });

/**
 * The half-width of a difference. Its error is h²/6·f''' from the curvature, 2e-11 for third derivatives around 1, and
 * 2^-53·|f|/h = 1e-11·|f| from rounding.
 */
const h = 1e-5;
/** A few hundred such errors: the losses here add up some hundred terms of size 1. */
const tolerance = 1e-8;

/** Standard normal numbers, other ones for each purpose. */
export const noise = (shape: Shape, purpose: number, scale = 1): Tensor =>
  tensor(
    normals(elementCount(shape), { seed: 20, purpose }).map((x) => x * scale),
    shape,
  );

/**
 * Expects the gradient of `build` for every element of every f32 tensor in `varied` to be its central difference.
 *
 * @param fixed further values that `build` needs
 */
export async function expectGradients(
  varied: Readonly<Record<string, Tensor>>,
  build: (values: Readonly<Record<string, Value>>) => Value,
  fixed: Readonly<Record<string, Tensor>> = {},
): Promise<void> {
  const given = { ...varied, ...fixed };
  const ports = Object.fromEntries(
    Object.entries(given).map(([name, { shape, dtype }]) => [
      name,
      input(name, shape, dtype === 'i32' ? 'i32' : 'f32'),
    ]),
  );
  const wanted = Object.keys(varied).filter((name) => varied[name]!.dtype !== 'i32');
  const loss = build(ports);
  const derived = gradients(
    loss,
    wanted.map((name) => ports[name]!),
  );
  const stream = engine.createStream();
  const prepare = (outputs: Record<string, Value>) => {
    const program = engine.load(compile({ name: 'finite differences', outputs, assignments: [] }));
    const used = program.program.inputs.map((port) => port.name);
    return (changed: Readonly<Record<string, Tensor>>) =>
      stream.submit({
        program,
        memories: {},
        inputs: Object.fromEntries(used.map((name) => [name, (changed[name] ?? given[name])!])),
      });
  };
  const forward = prepare({ loss });
  const got = await prepare(Object.fromEntries(wanted.map((name, index) => [name, derived[index]!])))({});
  for (const name of wanted) {
    const { data, shape } = given[name]!;
    for (let index = 0; index < data.length; index++) {
      const at = async (offset: number) => {
        const changed = Float64Array.from(data);
        changed[index]! += offset;
        return (await forward({ [name]: tensor(changed, shape) })).loss!.data[0]!;
      };
      const difference = ((await at(h)) - (await at(-h))) / (2 * h);
      const error = Math.abs(got[name]!.data[index]! - difference);
      expect(error, `${name}[${index}]: gradient ${got[name]!.data[index]}, difference ${difference}`).toBeLessThan(
        tolerance * Math.max(1, Math.abs(difference)),
      );
    }
  }
  await stream.close();
}
