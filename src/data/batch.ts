/** What a trainer eats: batches of rows. */
import { printShape, type Shape, sameShape, type Tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import type { Vocabulary } from './vocabulary.js';

export interface Batch {
  /**
   * `[batch, time]` i32 ids, or `[batch, time, features]` f32. All of it must be finite but for what lies behind the
   * `lengths`, whatever the mask of the targets leaves out.
   */
  readonly inputs: Tensor;
  /** `[batch, time]` ids, `[batch, time, features]`, or `[batch]` / `[batch, features]` for one target a row. */
  readonly targets: Tensor;
  /**
   * Weights of the targets, `[batch, time]` or `[batch]` f32, at least 0: a target with 0 does not count and may hold
   * anything, NaN and ids outside of the vocabulary included. Absent: all count alike.
   */
  readonly mask?: Tensor | undefined;
  /**
   * Steps of each row that are there, `[batch]` i32, 0 to time. What lies behind them may hold anything, NaN and ids outside
   * of the vocabulary included: recurrent layers do not go there, a state is the one after the row's own last step, and
   * targets there do not count, whatever the mask says. Of a row of length 0 no target counts, also where it has only one,
   * and its state stays. Absent: all rows have all steps.
   */
  readonly lengths?: Tensor | undefined;
  /**
   * 1 for the steps in which a row lives, 0 for holes, `[batch, time]`. In a hole the inputs may hold anything; recurrent
   * states stay as they are, and a layer's output is the one before. Where there is no `mask`, targets in holes do not count,
   * nor does the one target of a row that is nothing but holes. Absent: no holes.
   */
  readonly inputMask?: Tensor | undefined;
  /** True when each row goes on where the same row of the batch before ended: recurrent state is carried over. */
  readonly continues: boolean;
  /**
   * Where the batch continues: 1 for a row that starts from zero states nevertheless, because a document ended there and
   * another begins; 0 for one that goes on. `[batch]`. Absent: all go on.
   */
  readonly reset?: Tensor | undefined;
}

/** A pass over data: can be iterated again and again, each time anew. */
export interface Batches {
  /** Batches in one pass. */
  readonly length: number;
  /** Targets in one pass, masked ones included: what speeds are counted in. */
  readonly tokens: number;
  /** Of the text the ids came from. A trainer hands it to the model it fits, if that has none yet. */
  readonly vocabulary?: Vocabulary;
  /** `epoch` (from 0) selects the shuffling, where there is any. */
  epoch(epoch: number): Iterable<Batch>;
}

/**
 * @param rows the shape of the targets without their features
 * @throws {MnemeError} `invalid-shape` or `invalid-argument` unless the mask holds a finite weight of at least 0 for each
 *   target
 */
export function checkMask(where: string, mask: Tensor, rows: Shape): void {
  if (!sameShape(mask.shape, rows)) {
    throw new MnemeError(
      'invalid-shape',
      `${where}: the mask holds a weight for each target, ${printShape(rows)}, got ${printShape(mask.shape)}.`,
    );
  }
  const wrong = mask.data.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (wrong < 0) return;
  throw new MnemeError(
    'invalid-argument',
    `${where}: weights in a mask are finite and at least 0, got ${mask.data[wrong]} at element ${wrong}.`,
  );
}
