/**
 * Every use of random numbers has a purpose of its own, so that no use disturbs another: adding a layer leaves the
 * initial values of all others as they were, and dropout does not depend on how parameters were drawn.
 */

/** The 32-bit purpose of a name such as `lstm_1/kernel`: FNV-1a over its UTF-16 units (Fowler, Noll, Vo). */
export function purposeOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
