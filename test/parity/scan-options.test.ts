/** The options of the fused LSTM, together as they are drawn, and the same written with `scan`: the same in every buffer. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from '../../src/compute/compiler.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { gradients } from '../../src/compute/gradients.js';
import { input, reshape, type Value } from '../../src/compute/graph.js';
import { columns } from '../../src/compute/operations/columns.js';
import { map, matmul, recurrent, reduceSum, slice } from '../../src/compute/operations/index.js';
import { scan } from '../../src/compute/scan.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { noise } from '../gradients/finite-differences.js';

const sigmoid = { kind: 1, expression: (x) => x.sigmoid() } as Parameters<typeof recurrent>[0]['gateActivation'];
const tanh = { kind: 2, expression: (x) => x.tanh() } as Parameters<typeof recurrent>[0]['activation'];

const extent = (max: number) => fc.integer({ min: 1, max });
const drawn = fc.record({
  time: extent(4),
  batch: extent(4),
  inputs: extent(4),
  units: extent(5),
  peepholes: fc.boolean(),
  projected: fc.boolean(),
  coupled: fc.boolean(),
  clipped: fc.boolean(),
  masked: fc.boolean(),
  zoneout: fc.boolean(),
});
type Drawn = typeof drawn extends fc.Arbitrary<infer D> ? D : never;
type Given = Readonly<Record<string, Value>>;

/** Between 0 and 1. */
const shares = (shape: readonly number[], purpose: number): Tensor => {
  const { data } = noise(shape, purpose);
  return tensor(
    Float64Array.from(data, (x) => 1 / (1 + Math.exp(-x))),
    shape,
  );
};

function operands({ time, batch, inputs, units, ...has }: Drawn): Record<string, Tensor> {
  const gates = has.coupled ? 3 : 4;
  const hidden = has.projected ? 2 : units;
  return {
    input: noise([time, batch, inputs], 1),
    kernel: noise([inputs, gates * units], 2),
    recurrentKernel: noise([hidden, gates * units], 3),
    bias: noise([gates * units], 4),
    initialHidden: noise([batch, hidden], 5),
    initialCell: noise([batch, units], 6),
    ...(has.peepholes ? { peephole: noise([gates - 1, units], 7) } : {}),
    ...(has.projected ? { projection: noise([units, hidden], 8) } : {}),
    ...(has.masked ? { recurrentMask: shares([batch, hidden], 9) } : {}),
    ...(has.zoneout
      ? { hiddenKeep: shares([time, batch, hidden], 10), cellKeep: shares([time, batch, units], 11) }
      : {}),
  };
}
const withoutGradient = ['recurrentMask', 'hiddenKeep', 'cellKeep'];
const clip = 0.5;

function twin(given: Given, { coupled, clipped }: Drawn) {
  const { kernel, recurrentKernel, bias, peephole, projection, recurrentMask, hiddenKeep, cellKeep } = given;
  const units = given.initialCell!.shape[1]!;
  const peep = (row: number) => peephole && reshape(slice(peephole, { axis: 0, start: row, length: 1 }), [units]);
  return scan({
    sequences: [given.input!, ...(hiddenKeep ? [hiddenKeep, cellKeep!] : [])],
    initial: [given.initialHidden!, given.initialCell!],
    step: ([x, hKeep, cKeep], [h, c]) => {
      const seen = recurrentMask ? map((a, m) => a.mul(m), h!, recurrentMask) : h!;
      const sum = map((a, b) => a.add(b), matmul(x!, kernel!, { bias }), matmul(seen, recurrentKernel!));
      const part = (gate: number) => columns(sum, { start: gate * units, length: units });
      const gated = (gate: number, row: number, cell: Value) => {
        const weights = peep(row);
        if (!weights) return map((a) => a.sigmoid(), part(gate));
        return map((a, p, old) => a.add(p.mul(old)).sigmoid(), part(gate), weights, cell);
      };
      const i = gated(0, 0, c!);
      const f = coupled ? map((a) => a.neg().add(1), i) : gated(1, 1, c!);
      const g = part(coupled ? 1 : 2);
      const candidate = map(
        (a, b, d, old) => {
          const next = a.mul(old).add(b.mul(d.tanh()));
          return clipped ? next.max(-clip).min(clip) : next;
        },
        f,
        i,
        g,
        c!,
      );
      const o = coupled ? gated(2, 1, candidate) : gated(3, 2, candidate);
      const open = map((a, b) => a.mul(b.tanh()), o, candidate);
      const out = projection ? matmul(open, projection) : open;
      const keep = (share: Value | undefined, old: Value, next: Value) =>
        share ? map((k, a, b) => k.mul(a).add(k.neg().add(1).mul(b)), share, old, next) : next;
      const hidden = keep(hKeep, h!, out);
      return { outputs: [hidden], states: [hidden, keep(cKeep, c!, candidate)] };
    },
  });
}
function results(made: readonly Value[], given: Given, prefix: string): Record<string, Value> {
  const sums = made.map((value, index) =>
    reduceSum(value, { axis: 'all', expression: (y) => y.mul(index + 0.7).add(y.square()) }),
  );
  const loss = map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...sums);
  const names = Object.keys(given).filter((name) => !withoutGradient.includes(name));
  const derived = gradients(
    loss,
    names.map((name) => given[name]!),
  );
  return Object.fromEntries([
    ...made.map((value, index) => [`${prefix} ${index}`, value] as const),
    ...names.map((name, index) => [`${prefix} gradient of ${name}`, derived[index]!] as const),
  ]);
}

test('LSTM with peepholes, projection, coupled gates, clipping, a recurrent mask and zoneout', async () => {
  const engine = createReferenceEngine({ precision: 'f64' });
  const stream = engine.createStream();
  await fc.assert(
    fc.asyncProperty(drawn, async (sizes) => {
      const tensors = operands(sizes);
      const given = Object.fromEntries(
        Object.entries(tensors).map(([name, { shape }]) => [name, input(name, shape, 'f32')]),
      );
      const fused = recurrent({
        ...(given as unknown as Pick<Parameters<typeof recurrent>[0], 'input' | 'kernel' | 'recurrentKernel'>),
        cell: 'lstm',
        coupled: sizes.coupled,
        cellClip: sizes.clipped ? clip : 0,
        gateActivation: sigmoid,
        activation: tanh,
        training: true,
      });
      const other = twin(given, sizes);
      const outputs = {
        ...results([fused.output, fused.finalHidden, fused.finalCell!], given, 'fused'),
        ...results([other.outputs[0]!, ...other.states], given, 'scan'),
      };
      const program = engine.load(compile({ name: 'twins', outputs }));
      const got = await stream.submit({
        program,
        memories: {},
        inputs: Object.fromEntries(program.program.inputs.map(({ name }) => [name, tensors[name]!])),
      });
      for (const name of Object.keys(got).filter((each) => each.startsWith('fused'))) {
        const twins = got[name.replace('fused', 'scan')]!.data;
        const largest = Math.max(1e-3, ...twins.map(Math.abs));
        for (const [index, value] of got[name]!.data.entries()) {
          expect(Math.abs(value - twins[index]!), `${name}[${index}]`).toBeLessThanOrEqual(1e-12 * largest);
        }
      }
    }),
    { numRuns: 40, seed: Number(process.env.MNEME_SEED ?? 1) },
  );
  await stream.close();
});
