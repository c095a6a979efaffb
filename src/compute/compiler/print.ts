/** Programs as text: a line an instruction. */
import type { Program } from '../program.js';
import { elementCount } from '../tensor.js';

/**
 * A program as a table: number, operation, outputs with their shapes, inputs.
 *
 * @example
 * console.log(printProgram(program));
 */
export function printProgram(program: Program): string {
  const { name, instructions, loops = [], sizes, cost, buffers, names } = program;
  const head = [
    name,
    `${instructions.length} instruction${instructions.length === 1 ? '' : 's'}`,
    printFlops(cost.flops),
    `scratch ${printBytes(4 * sizes.scratch)} of ${printBytes(4 * cost.scratchWithoutReuse)} without reuse`,
  ].join('   ');
  const rows = instructions.flatMap(({ operation, inputs, outputs, attributes }, index) => {
    const around = loops.filter(({ first, end }) => first <= index && index < end);
    const beginning = loops
      .filter(({ first }) => first === index)
      .map(({ count }, inner, all) => [
        '',
        `${'  '.repeat(around.length - all.length + inner)}repeat ${count} times`,
        '',
        '',
      ]);
    const made = outputs.filter((buffer) => buffer >= 0);
    const read = inputs.filter((buffer) => buffer >= 0);
    const shown = made.map((buffer) => {
      const { shape } = buffers[buffer]!;
      return elementCount(shape) === 1 ? names[buffer]! : `${names[buffer]} [${shape.join()}]`;
    });
    const detail = typeof attributes.cell === 'string' ? ` ${attributes.cell}` : '';
    const indented = '  '.repeat(around.length) + operation + detail;
    return [...beginning, [String(index), indented, shown.join(' '), read.map((buffer) => names[buffer]).join(', ')]];
  });
  const widths = [0, 1, 2].map((column) => Math.min(60, Math.max(0, ...rows.map((row) => row[column]!.length))));
  const lines = rows.map(([number, operation, shown, read]) =>
    [number!.padStart(widths[0]!), operation!.padEnd(widths[1]!), shown!.padEnd(widths[2]!), read].join('  ').trimEnd(),
  );
  return [head, ...lines].join('\n');
}

/** `3.1 GFLOP` */
export const printFlops = (flops: number): string => `${quantity(flops, 1000, [' ', ' k', ' M', ' G', ' T'])}FLOP`;

/** `41 MiB` */
export const printBytes = (bytes: number): string => `${quantity(bytes, 1024, [' ', ' Ki', ' Mi', ' Gi'])}B`;

/** `3.1 G`: a number with the largest prefix that leaves at least 1. */
function quantity(value: number, base: number, prefixes: readonly string[]): string {
  let rest = value;
  let index = 0;
  while (rest >= base && index < prefixes.length - 1) {
    rest /= base;
    index++;
  }
  const digits = index > 0 && rest < 10 ? 1 : 0;
  return `${rest.toFixed(digits)}${prefixes[index]}`;
}
