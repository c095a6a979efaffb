/** The fused cells written down again, as functions of a step for `scan`; `Expression`s are the activations. */
import type { Expression } from '../../src/compute/expression.js';
import type { Value } from '../../src/compute/graph.js';
import { columns } from '../../src/compute/operations/columns.js';
import { map, matmul } from '../../src/compute/operations/index.js';
import { type ScanResult, scan } from '../../src/compute/scan.js';

type Activation = (x: Expression) => Expression;

export interface TwinOperands {
  readonly input: Value;
  readonly kernel: Value;
  readonly recurrentKernel: Value;
  readonly bias?: Value | undefined;
  readonly recurrentBias?: Value | undefined;
  readonly initialHidden: Value;
  readonly initialCell?: Value | undefined;
}

const add = (a: Value, b: Value): Value => map((x, y) => x.add(y), a, b);

function gatesOf(x: Value, count: number): Value[] {
  const length = x.shape.at(-1)! / count;
  return Array.from({ length: count }, (_, index) => columns(x, { start: index * length, length }));
}

/** h' = a(x·W + h·U + b) */
export function simpleTwin(given: TwinOperands, activation: Activation): ScanResult {
  return scan({
    sequences: [given.input],
    initial: [given.initialHidden],
    step: ([x], [h]) => {
      const sum = add(matmul(x!, given.kernel, { bias: given.bias }), matmul(h!, given.recurrentKernel));
      const next = map(activation, sum);
      return { outputs: [next], states: [next] };
    },
  });
}

/** i, f, o gates and g: c' = f·c + i·g, h' = o·a(c') */
export function lstmTwin(given: TwinOperands, gate: Activation, activation: Activation): ScanResult {
  return scan({
    sequences: [given.input],
    initial: [given.initialHidden, given.initialCell!],
    step: ([x], [h, c]) => {
      const sum = add(matmul(x!, given.kernel, { bias: given.bias }), matmul(h!, given.recurrentKernel));
      const [i, f, g, o] = gatesOf(sum, 4) as [Value, Value, Value, Value];
      const cell = map(
        (a, b, d, e) =>
          gate(b)
            .mul(e)
            .add(gate(a).mul(activation(d))),
        i,
        f,
        g,
        c!,
      );
      const hidden = map((a, b) => gate(a).mul(activation(b)), o, cell);
      return { outputs: [hidden], states: [hidden, cell] };
    },
  });
}

/** r, z gates; h' = (1 - z)·n + z·h, with the reset gate on the recurrent product or on what goes into it */
export function gruTwin(
  given: TwinOperands,
  gate: Activation,
  activation: Activation,
  { resetAfter }: { readonly resetAfter: boolean },
): ScanResult {
  return scan({
    sequences: [given.input],
    initial: [given.initialHidden],
    step: ([x], [h]) => {
      const fromInput = gatesOf(matmul(x!, given.kernel, { bias: given.bias }), 3) as [Value, Value, Value];
      const units = h!.shape.at(-1)!;
      const part = (number: number, from: Value) =>
        columns(matmul(from, given.recurrentKernel, { bias: given.recurrentBias }), {
          start: number * units,
          length: units,
        });
      const [reset, update] = [0, 1].map((number) =>
        map((a, b) => gate(a.add(b)), fromInput[number]!, part(number, h!)),
      );
      const candidate = resetAfter
        ? map((a, r, p) => activation(a.add(r.mul(p))), fromInput[2], reset!, part(2, h!))
        : map(
            (a, p) => activation(a.add(p)),
            fromInput[2],
            part(
              2,
              map((r, old) => r.mul(old), reset!, h!),
            ),
          );
      const next = map((z, n, old) => z.mul(old).add(z.neg().add(1).mul(n)), update!, candidate, h!);
      return { outputs: [next], states: [next] };
    },
  });
}
