/** How the references of `recurrent` use the tape, which is as long as the kernels need it. */
import type { Cell } from './cells/cell.js';
import type { RecurrentSizes } from './recurrent-operands.js';

export interface TapeStep {
  /** What the cell kept, `[batch, kept·units]`. */
  readonly kept: Float64Array;
  /** c of an LSTM after the step, and before any old state was kept; `[batch, units]`. */
  readonly cell: Float64Array;
  readonly nextCell: Float64Array;
  /** What the cell gave as h, before projection and before any old state was kept. Kept where there is a projection. */
  readonly unprojected: Float64Array;
}

/** The parts of the tape by step; memory of its own, each step anew, for what is not on it or where there is none. */
export function tapeOf(
  { time, batch, units, projected }: Pick<RecurrentSizes, 'time' | 'batch' | 'units' | 'projected'>,
  cell: Cell,
  tape: Float64Array | undefined,
): (t: number) => TapeStep {
  const state = batch * units;
  const widths = { kept: cell.kept, cell: 1, nextCell: 1, unprojected: 1 };
  const onTape = { kept: true, cell: cell.states > 1, nextCell: cell.states > 1, unprojected: projected };
  return (t) => {
    let start = 0;
    const part = (name: keyof typeof widths) => {
      const size = widths[name] * state;
      if (!tape || !onTape[name]) return new Float64Array(size);
      const begin = start + t * size;
      start += time * size;
      return tape.subarray(begin, begin + size);
    };
    return { kept: part('kept'), cell: part('cell'), nextCell: part('nextCell'), unprojected: part('unprojected') };
  };
}
