/** `matmul`: the matrix product, of matrices or their transposes, with a bias. Leading axes count as rows. */
import { makeNode, type Operation, reshape, type Specification, type Value } from '../graph.js';
import { elementCount, printShape } from '../tensor.js';
import { embedding } from './embedding.js';
import { map } from './map.js';
import { columnsOf, expect, expectDtype, expectShape, f32, leadingOf, rowsOf, trafficOf } from './operand.js';
import { matrix, multiply } from './product.js';
import { reduceSum } from './reduce.js';
import { transpose } from './transpose.js';

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** `[N]`, added to each row. */
  readonly bias?: Value | undefined;
}

/**
 * a·b + bias: a `[..., K]` (its leading axes are rows), b `[K, N]`, to `[..., N]`; transposed, a is `[K, M]` and b
 * `[N, K]`. Where a was made by `oneHot` of ids, rows of b are picked instead.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const logits = matmul(hidden, kernel, { bias });
 */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transposeA = false, transposeB = false, bias } = options;
  const [ids] = a.node.inputs;
  if (a.node.operation?.name === 'oneHot' && ids && !transposeA) {
    matmulOperation.shape([a, b, bias], { transposeA, transposeB });
    const rows = embedding(ids, transposeB ? transpose(b) : b);
    return bias ? map((row, shift) => row.add(shift), rows, bias) : rows;
  }
  return makeNode(matmulOperation, [a, b, bias], { transposeA, transposeB }).outputs[0]!;
}

interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

export const matmulOperation: Operation = {
  name: 'matmul',
  shape: ([a, b, bias], attributes) => {
    expectDtype('matmul: a', a, 'f32');
    expectDtype('matmul: b', b, 'f32');
    const { transposeA, transposeB, m, k, n } = extents(a, b, attributes);
    const rowsOfB = transposeB ? columnsOf(b) : rowsOf(b);
    expect(rowsOfB === k, () => {
      const wanted = transposeB ? `[N, ${k}]` : `[${k}, N]`;
      return (
        `matmul: expected b ${wanted} for a ${printShape(a.shape)}${transposeA ? ' transposed' : ''}, ` +
        `got ${printShape(b.shape)}${transposeB ? ' transposed' : ''}.`
      );
    });
    expectShape('matmul: bias', bias, [n]);
    return [f32(transposeA ? [m, n] : [...(a.shape.length === 1 ? [1] : leadingOf(a)), n])];
  },
  gradient: (node, [dy], wanted) => {
    const [a, b] = node.inputs as [Value, Value];
    const { transposeA, transposeB } = node.attributes as unknown as Attributes;
    if (!dy) return [];
    const da = transposeA
      ? () => matmul(b, dy, { transposeA: transposeB, transposeB: true })
      : () => matmul(dy, b, { transposeB: !transposeB });
    const db = transposeB
      ? () => matmul(dy, a, { transposeA: true, transposeB: transposeA })
      : () => matmul(a, dy, { transposeA: !transposeA });
    return [
      wanted[0] ? reshape(da(), a.shape) : undefined,
      wanted[1] ? reshape(db(), b.shape) : undefined,
      wanted[2] ? reduceSum(dy, { axis: 'rows' }) : undefined,
    ];
  },
  reference: ({ inputs: [a, b, bias], outputs: [c], attributes }) => {
    const { transposeA, transposeB } = attributes as unknown as Attributes;
    const n = columnsOf(c!);
    for (let index = 0; index < c!.data.length; index++) c!.data[index] = bias ? bias.data[index % n]! : 0;
    multiply(
      matrix(a!.data, columnsOf(a!), { transpose: transposeA }),
      matrix(b!.data, columnsOf(b!), { transpose: transposeB }),
      matrix(c!.data, n),
      extents(a!, b!, attributes),
    );
  },
  words: ({ attributes }) => [Number(attributes.transposeA), Number(attributes.transposeB)],
  cost: (node) => {
    const [a, b] = node.inputs as [Value, Value];
    const { k } = extents(a, b, node.attributes);
    return { flops: 2 * k * elementCount(node.outputs[0]!.shape), bytes: trafficOf(node) };
  },
};

function extents(a: Specification, b: Specification, attributes: object) {
  const { transposeA, transposeB } = attributes as Attributes;
  const [m, k] = transposeA ? [columnsOf(a), rowsOf(a)] : [rowsOf(a), columnsOf(a)];
  return { transposeA, transposeB, m, k, n: transposeB ? rowsOf(b) : columnsOf(b) };
}
