/** An interpreter of expression code, written from docs/architecture.md. */
import { errorFunction } from '../../src/compute/expression/error-function.js';

const operations: Readonly<Record<number, (a: number, b: number, c: number, d: number) => number>> = {
  0: (a) => a,
  1: (a) => -a,
  2: (a) => Math.abs(a),
  3: (a) => Math.exp(a),
  4: (a) => Math.log(a),
  5: (a) => Math.sqrt(a),
  6: (a) => Math.tanh(a),
  7: (a) => 1 / (1 + Math.exp(-a)),
  8: (a) => Math.sign(a),
  9: (a) => Math.floor(a),
  10: (a, b) => a + b,
  11: (a, b) => a - b,
  12: (a, b) => a * b,
  13: (a, b) => a / b,
  14: (a, b) => Math.min(a, b),
  15: (a, b) => Math.max(a, b),
  16: (a, b) => Number(a < b),
  17: (a, b) => Number(a <= b),
  18: (a, b) => Number(a === b),
  20: (a, b, c) => (a !== 0 ? b : c),
  21: (a, b, c) => a * b + c,
  22: (a, b, c) => a * b - c,
  23: (a, b, c) => c - a * b,
  24: (a, b, c, d) => a * b + c * d,
  25: (a, b, c) => a / (Math.sqrt(b) + c),
  26: errorFunction,
  27: Math.expm1,
  28: Math.log1p,
  29: (a, b, c, d) => a * b + c * (d * d),
  30: (a, b, c, d) => (a * b) / (Math.sqrt(c) + d),
};

/** The outputs of a piece of code, each instruction rounded; throws where it breaks the rules for registers. */
export function runCode(
  words: readonly number[],
  inputs: readonly number[],
  round: (x: number) => number = (x) => x,
): number[] {
  const [inputCount, outputCount, constantCount, temporaryCount, instructionCount] = words as [
    number,
    number,
    number,
    number,
    number,
  ];
  const expected = 5 + constantCount + 6 * instructionCount + outputCount;
  if (inputCount !== inputs.length || words.length !== expected) throw new Error('the sizes do not fit');
  const bits = Int32Array.from(words.slice(5, 5 + constantCount));
  const registers: (number | undefined)[] = [...inputs, ...new Float32Array(bits.buffer)];
  const firstTemporary = registers.length;
  const read = (register: number): number => {
    const value = registers[register];
    if (value === undefined) throw new Error(`register ${register} is read before it is written`);
    return value;
  };
  for (let index = 0; index < instructionCount; index++) {
    const at = 5 + constantCount + 6 * index;
    const [opcode, destination, ...operands] = words.slice(at, at + 6) as [number, number, ...number[]];
    if (destination < firstTemporary || destination >= firstTemporary + temporaryCount) {
      throw new Error(`register ${destination} is no temporary`);
    }
    const apply = operations[opcode]!;
    const [a, b, c, d] = operands.map((operand, position) => (position < apply.length ? read(operand) : 0));
    registers[destination] = round(apply(a!, b!, c!, d!));
  }
  return words.slice(expected - outputCount).map(read);
}
