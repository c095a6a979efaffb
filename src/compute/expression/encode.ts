/**
 * Expressions as words for the native engine: the code described in docs/architecture.md. Fused instructions are chosen
 * here, temporaries are few, constants are rounded to single precision at the very end.
 */
import { fuse, type Instruction, type Operand } from './fuse.js';
import { simplifyAll } from './simplify.js';
import type { Expression } from './tree.js';

/**
 * The code of a list of expressions of `inputCount` variables.
 *
 * @example
 * encode([variable(0).mul(variable(1)).add(2)], 2); // one instruction, a·b + c
 */
export function encode(outputs: readonly Expression[], inputCount: number): number[] {
  const results = fuse(simplifyAll(outputs));
  const ordered = order(results);
  const constants = constantsOf(ordered, results);

  // Registers: inputs, constants, temporaries. A temporary is free again after its last reader.
  const firstTemporary = inputCount + constants.size;
  const lastReader = lastReaders(ordered, results);
  const temporaries = new Map<Instruction, number>();
  const free: number[] = [];
  let used = 0;
  const registerOf = (operand: Operand): number => {
    if (operand.kind === 'variable') return operand.number;
    if (operand.kind === 'constant') return inputCount + constants.get(floatBits(operand.number))!;
    return firstTemporary + temporaries.get(operand)!;
  };
  const code = ordered.flatMap((instruction, position) => {
    const operands = instruction.operands.map(registerOf);
    for (const operand of new Set(instruction.operands)) {
      if (operand.kind === 'instruction' && lastReader.get(operand) === position) free.push(temporaries.get(operand)!);
    }
    const temporary = takeLowest(free) ?? used++;
    temporaries.set(instruction, temporary);
    const [a = 0, b = 0, c = 0, d = 0] = operands;
    return [instruction.opcode, firstTemporary + temporary, a, b, c, d];
  });
  return [
    ...[inputCount, outputs.length, constants.size, used, ordered.length],
    ...constants.keys(),
    ...code,
    ...results.map(registerOf),
  ];
}

/** The bits of a number rounded to single precision, as a signed word. */
export function floatBits(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0]!;
}

/** Each instruction after its operands; of two operands, first the one that needs more temporaries (Sethi and Ullman 1970). */
function order(results: readonly Operand[]): Instruction[] {
  const need = new Map<Instruction, number>();
  const needOf = (operand: Operand): number => {
    if (operand.kind !== 'instruction') return 0;
    const known = need.get(operand);
    if (known !== undefined) return known;
    const inner = operand.operands.map(needOf).sort((a, b) => b - a);
    const own = Math.max(1, ...inner.map((count, index) => count + index));
    need.set(operand, own);
    return own;
  };
  const ordered: Instruction[] = [];
  const seen = new Set<Operand>();
  const visit = (operand: Operand) => {
    if (operand.kind !== 'instruction' || seen.has(operand)) return;
    seen.add(operand);
    for (const inner of [...operand.operands].sort((a, b) => needOf(b) - needOf(a))) visit(inner);
    ordered.push(operand);
  };
  for (const result of results) visit(result);
  return ordered;
}

/** The bits of all constants in use, each with its place. */
function constantsOf(ordered: readonly Instruction[], results: readonly Operand[]): Map<number, number> {
  const places = new Map<number, number>();
  for (const operand of [...ordered.flatMap((instruction) => instruction.operands), ...results]) {
    if (operand.kind !== 'constant') continue;
    const bits = floatBits(operand.number);
    if (!places.has(bits)) places.set(bits, places.size);
  }
  return places;
}

/** Position of the last reader of each instruction; results are read at the end. */
function lastReaders(ordered: readonly Instruction[], results: readonly Operand[]): Map<Operand, number> {
  const last = new Map<Operand, number>();
  for (const [position, instruction] of ordered.entries()) {
    for (const operand of instruction.operands) last.set(operand, position);
  }
  for (const result of results) last.set(result, ordered.length);
  return last;
}

function takeLowest(free: number[]): number | undefined {
  if (free.length === 0) return undefined;
  const lowest = Math.min(...free);
  free.splice(free.indexOf(lowest), 1);
  return lowest;
}
