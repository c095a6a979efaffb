/** What the references of `recurrent` do with states between the cells: shares of old ones that stay, and the mask. */
import type { ReferenceOperand } from '../graph.js';
import type { Cell } from './cells/cell.js';
import type { RecurrentSizes } from './recurrent-operands.js';
import type { TapeStep } from './recurrent-tape.js';

/** The share of an old state that stays, at a place in `[batch, columns]`. */
export type Keep = (place: number) => number;

/** Of the states of one step; undefined where nothing is kept. */
export function keepAt(
  operand: ReferenceOperand | undefined,
  { batch, columns }: { readonly batch: number; readonly columns: number },
  t: number,
): Keep | undefined {
  if (!operand) return undefined;
  const { data, shape } = operand;
  if (shape.length === 1) return () => data[0]!;
  if (shape.length === 2) return (place) => data[t * batch + Math.floor(place / columns)]!;
  return (place) => data[t * batch * columns + place]!;
}

/** keep·old + (1 - keep)·candidate, and exactly the old state where keep is 1. */
export function keepStates(keep: Keep | undefined, old: Float64Array, candidates: Float64Array): Float64Array {
  if (!keep) return candidates;
  return candidates.map((candidate, place) => {
    const share = keep(place);
    return share === 1 ? old[place]! : share * old[place]! + (1 - share) * candidate;
  });
}

/** Parts of a gradient: what goes to the candidate, and what to the old state. */
export function splitGradient(
  keep: Keep | undefined,
  gradient: Float64Array,
): [candidate: Float64Array, old: Float64Array] {
  return [
    keep ? gradient.map((value, place) => (1 - keep(place)) * value) : gradient,
    keep ? gradient.map((value, place) => keep(place) * value) : new Float64Array(gradient.length),
  ];
}

/** What the recurrent product reads of a hidden state. */
export const fed = (hidden: Float64Array, mask: ReferenceOperand | undefined): Float64Array =>
  mask ? hidden.map((value, place) => value * mask.data[place]!) : hidden;

/** Where all of a unit's old states stays, what its cell computed counts for nothing, even if it is NaN. */
export function clearKept(
  cell: Cell,
  { batch, units, projected }: RecurrentSizes,
  { hidden, ofCell }: { readonly hidden: ReferenceOperand | undefined; readonly ofCell: ReferenceOperand | undefined },
  t: number,
  step: TapeStep,
): void {
  if (!hidden || (cell.states > 1 && !ofCell)) return;
  // With a projection every unit has to do with every column of the hidden state.
  const byRow = hidden.shape.length < 3;
  if (projected && !byRow) return;
  const columns = units;
  const keepsHidden = keepAt(hidden, { batch, columns }, t)!;
  const keepsCell = keepAt(ofCell, { batch, columns }, t);
  const own = byRow ? Array.from({ length: cell.kept }, (_, index) => index) : cell.own;
  for (let place = 0; place < batch * units; place++) {
    if (keepsHidden(place) !== 1 || (keepsCell && keepsCell(place) !== 1)) continue;
    const [row, unit] = [Math.floor(place / units), place % units];
    for (const index of own) step.kept[row * cell.kept * units + index * units + unit] = 0;
    step.nextCell[place] = 0;
    if (projected) step.unprojected[place] = 0;
  }
}
