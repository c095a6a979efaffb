/**
 * An activation inside a cell gives the bits that it gives as a layer, so that its bounds hold there, too. One step from
 * zero states, with kernels that hand each gate its input as it is.
 */
import { describe, expect, it } from 'vitest';
import { differentiate, type Expression } from '../../src/compute/expression.js';
import { reshape } from '../../src/compute/graph.js';
import { map, recurrent } from '../../src/compute/operations/index.js';
import { normals } from '../../src/compute/random.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { activations } from '../../src/network/activations.js';
import { activationChoices } from './activation-choices.js';
import { native } from './engines.js';
import { evaluateGraph, incomingGradients } from './evaluate-graph.js';

const [rows, units] = [9, 20];
const x = tensor(
  Float32Array.from(normals(rows * units, { seed: 3, purpose: 1 }), (value) => 3 * value),
  [rows, units],
);
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

  it('in a simple RNN: value and derivative', async () => {
    const { hidden, 'gradient of x': gradient } = await cell('simple', activations.sigmoid, chosen);
    expect(hidden!.data).toEqual((await elementwise(f, x)).data);
    expect(gradient!.data).toEqual((await elementwise((element) => differentiate(f(element), 0), x)).data);
  });

  it('as gate, cell and output activation of an LSTM', async () => {
    const { hidden } = await cell('lstm', chosen, chosen);
    const gate = await elementwise(f, x);
    const state = await elementwise((i, g) => i.mul(g), gate, gate);
    expect(hidden!.data).toEqual((await elementwise((o, a) => o.mul(a), gate, await elementwise(f, state))).data);
  });

  it('as gate and candidate of a GRU', async () => {
    const { hidden } = await cell('gru', chosen, chosen);
    const gate = await elementwise(f, x);
    expect(hidden!.data).toEqual((await elementwise((z, n) => n.sub(z.mul(n)), gate, gate)).data);
  });
});
