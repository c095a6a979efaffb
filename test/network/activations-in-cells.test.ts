/**
 * An activation inside a cell gives the bits that it gives as a layer, and so does its derivative, so that their bounds hold
 * there, too. One step from zero states, with kernels that hand each gate its input as it is.
 */
import { describe, expect, it } from 'vitest';
import { constant, differentiate, type Expression } from '../../src/compute/expression.js';
import { reshape } from '../../src/compute/graph.js';
import { map, recurrent } from '../../src/compute/operations/index.js';
import { normals } from '../../src/compute/random.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { activations } from '../../src/network/activations.js';
import { activationChoices } from './activation-choices.js';
import { native } from './engines.js';
import { evaluateGraph, incomingGradients } from './evaluate-graph.js';

const [rows, units] = [9, 20];
/** Bounded above, so that an exponential of an exponential is still a number. */
const x = tensor(
  Float32Array.from(normals(rows * units, { seed: 3, purpose: 1 }), (value) => Math.min(2, 3 * value)),
  [rows, units],
);
/** The same bits, but for the sign of zeros: a sum in another cell's order may lose it. */
const expectSame = (got: Tensor | undefined, want: Tensor) =>
  expect(got!.data.map((element) => element + 0)).toEqual(want.data.map((element) => element + 0));

/** A unit matrix for each gate, side by side. */
const unitKernels = (gates: number): Tensor =>
  tensor(
    Float32Array.from({ length: units * gates * units }, (_, index) => {
      return index % units === Math.floor(index / (gates * units)) ? 1 : 0;
    }),
    [units, gates * units],
  );
const zeros = (gates: number): Tensor => tensor(new Float32Array(units * gates * units), [units, gates * units]);

describe.skipIf(!native).each(activationChoices)('%s', (_, chosen) => {
  const f = (element: Expression) => chosen.expression(element);
  const elementwise = async (
    formula: (...elements: Expression[]) => Expression,
    ...given: Tensor[]
  ): Promise<Tensor> => {
    const ports = Object.fromEntries(given.map((value, index) => [`v${index}`, value]));
    return (
      await evaluateGraph(native!, ports, (values) => ({
        // The inputs too, for a constant reads none.
        ...values,
        y: map(formula, ...Object.values(values)),
      }))
    ).y!;
  };
  const cell = async (kind: 'simple' | 'lstm' | 'gru', gate: typeof chosen, activation: typeof chosen) => {
    const gates = { simple: 1, lstm: 4, gru: 3 }[kind];
    const ports = {
      x,
      kernel: unitKernels(gates),
      recurrentKernel: zeros(gates),
      dy: tensor(new Float32Array(rows * units).fill(1), [rows, units]),
    };
    return evaluateGraph(native!, ports, ({ x: input, kernel, recurrentKernel, dy }) => {
      const { finalHidden } = recurrent({
        cell: kind,
        input: reshape(input!, [1, rows, units]),
        kernel: kernel!,
        recurrentKernel: recurrentKernel!,
        resetAfter: true,
        gateActivation: gate,
        activation,
        training: true,
      });
      return { hidden: finalHidden, ...incomingGradients([[finalHidden, dy!]], { x: input! }) };
    });
  };

  const value = (of: Tensor) => elementwise(f, of);
  const slope = (of: Tensor) => elementwise((element) => differentiate(f(element), 0), of);
  const product = (...factors: Tensor[]) => elementwise((...all) => all.reduce((a, b) => a.mul(b)), ...factors);

  it('in a simple RNN: value and derivative', async () => {
    const { hidden, 'gradient of x': gradient } = await cell('simple', activations.sigmoid, chosen);
    expectSame(hidden, await value(x));
    expectSame(gradient, await slope(x));
  });

  it('as gate, cell and output activation of an LSTM, forward and backward', async () => {
    const { hidden, 'gradient of x': gradient } = await cell('lstm', chosen, chosen);
    const [gate, gateSlope] = [await value(x), await slope(x)];
    const state = await product(gate, gate);
    const [output, outputSlope] = [await value(state), await slope(state)];
    expectSame(hidden, await product(gate, output));
    // Gates are summed up in the order i, f, g, o; the forget gate saw a state of zero.
    const dState = await product(gate, outputSlope);
    const dInput = await product(dState, gate, gateSlope);
    const dOutput = await product(output, gateSlope);
    const want = await elementwise((i, g, o) => i.add(g).add(o), dInput, dInput, dOutput);
    expectSame(gradient, want);
  });

  it('as gate and candidate of a GRU, forward and backward', async () => {
    const { hidden, 'gradient of x': gradient } = await cell('gru', chosen, chosen);
    const [gate, gateSlope] = [await value(x), await slope(x)];
    expectSame(hidden, await elementwise((z, n) => n.sub(z.mul(n)), gate, gate));
    // The order is n, z, r; the reset gate saw a state of zero.
    const dCandidate = await elementwise((z, derivative) => constant(1).sub(z).mul(derivative), gate, gateSlope);
    const dUpdate = await elementwise((n, derivative) => n.neg().mul(derivative), gate, gateSlope);
    expectSame(gradient, await elementwise((n, z) => n.add(z), dCandidate, dUpdate));
  });
});
