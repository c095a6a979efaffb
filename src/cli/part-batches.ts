/** Batches that read a part of a text to its end, or nearly. */
import type { Batches } from '../data/batch.js';
import type { TextPart } from '../data/text.js';

/**
 * Few rows, because each begins without a past, but enough to fill the machine; undefined when the part is too short
 * for a single prediction.
 */
export function partBatches(part: TextPart): Batches | undefined {
  if (part.length < 2) return undefined;
  const batch = Math.min(10, Math.ceil(part.length / 1000));
  const steps = Math.min(100, Math.floor((part.length - 1) / batch));
  return part.batches({ batch, steps });
}
