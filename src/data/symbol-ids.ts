/** The ids of a long text in the narrowest integers that hold them: a book of up to 256 symbols takes one byte each. */
export type IdArray = Uint8Array | Uint16Array | Int32Array;

/** Collects code points without knowing how many there will be, or how many different ones. */
export interface SymbolCollector {
  push(codePoint: number): void;
  /** The symbols in ascending order, and each position's index into them. */
  finish(): { readonly symbols: readonly string[]; readonly ids: IdArray };
}

/** @param expected about how many code points will come; more or fewer are fine */
export function createSymbolCollector(expected: number): SymbolCollector {
  // Ids are given in the order of first appearance and put into ascending order at the end, when all symbols are known.
  const idOf = new Map<number, number>();
  // The code points of ASCII need no map; -1 stands for one not met yet.
  const asciiIds = new Int32Array(128).fill(-1);
  let ids: IdArray = new Uint8Array(Math.max(expected, 1024));
  let length = 0;

  const idOfNew = (codePoint: number): number => {
    const id = idOf.size;
    idOf.set(codePoint, id);
    if (codePoint < 128) asciiIds[codePoint] = id;
    if (id === 0x100) ids = Uint16Array.from(ids);
    if (id === 0x10000) ids = Int32Array.from(ids);
    return id;
  };

  return {
    push(codePoint) {
      const known = codePoint < 128 ? asciiIds[codePoint]! : (idOf.get(codePoint) ?? -1);
      const id = known >= 0 ? known : idOfNew(codePoint);
      if (length === ids.length) ids = resized(ids, 2 * length, length);
      ids[length] = id;
      length += 1;
    },
    finish() {
      const codePoints = [...idOf.keys()].sort((a, b) => a - b);
      const final = new Int32Array(codePoints.length);
      for (const [rank, codePoint] of codePoints.entries()) final[idOf.get(codePoint)!] = rank;
      const exact = ids.length === length ? ids : resized(ids, length, length);
      for (let i = 0; i < length; i++) exact[i] = final[exact[i]!]!;
      return { symbols: codePoints.map((codePoint) => String.fromCodePoint(codePoint)), ids: exact };
    },
  };
}

/** Collects bytes, whose ids they are themselves. */
export function createByteCollector(expected: number): {
  push(bytes: Uint8Array): void;
  finish(): Uint8Array;
} {
  let ids = new Uint8Array(Math.max(expected, 1024));
  let length = 0;
  return {
    push(bytes) {
      if (length + bytes.length > ids.length) ids = resized(ids, 2 * ids.length + bytes.length, length);
      ids.set(bytes, length);
      length += bytes.length;
    },
    finish: () => (ids.length === length ? ids : resized(ids, length, length)),
  };
}

function resized<A extends IdArray>(array: A, capacity: number, used: number): A {
  const copy = new (array.constructor as new (length: number) => A)(capacity);
  copy.set(array.subarray(0, used));
  return copy;
}
