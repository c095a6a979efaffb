/** Values that no function expects, for the addon and for the public functions alike; the same for the same random choices. */

/** What a getter or a trap of the caller's own throws: such an error is passed on as it is. */
export class CallersError extends Error {}

const throws = () => {
  throw new CallersError('thrown by the argument');
};

/** An array whose buffer is gone. */
export function detached(Type = Float32Array) {
  const array = new Type(16);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** A view of a buffer that has become smaller than the view. */
function outOfBounds() {
  const buffer = new ArrayBuffer(64, { maxByteLength: 128 });
  const view = new Float32Array(buffer, 16, 12);
  buffer.resize(32);
  return view;
}

/** An array that takes away the buffer of another element while its own is read. */
export function detachesWhenRead() {
  const victim = new Float32Array(4);
  return Object.defineProperty([victim, victim], 1, {
    get() {
      if (victim.length > 0) structuredClone(victim, { transfer: [victim.buffer] });
      return new Float32Array(4);
    },
  });
}

function cycle() {
  const object = { name: 'cycle' };
  object.self = object;
  return object;
}

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Numbers outside of every range, or hardly inside. Those between are left out: they ask for gigabytes in good faith. */
const numbers = [
  0,
  1,
  2,
  3,
  7,
  0.5,
  -0,
  -1,
  -0.5,
  1e-320,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 31),
  -(2 ** 53),
  1e308,
];

/**
 * Makes one hostile value.
 * @param {(limit: number) => number} below a whole number from 0 to below the limit
 */
export function hostileValue(below) {
  return kinds[below(kinds.length)](below);
}

const kinds = [
  () => undefined,
  () => null,
  (below) => numbers[below(numbers.length)],
  (below) => numbers[below(numbers.length)],
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => 10n,
  () => 2n ** 70n,
  (below) => below(2) === 0,
  () => '',
  () => 'portable',
  () => '__proto__',
  () => 'constructor',
  () => '\ud800',
  () => 'a\0b',
  (below) => 'x'.repeat(2 ** below(20)),
  () => Symbol('hostile'),
  () => Symbol.iterator,
  () => ({}),
  () => Object.create(null),
  () => [],
  () => [undefined, null, Number.NaN],
  () => new Array(7),
  () => [Symbol('element'), 1n],
  () => ({ length: 2 ** 31 }),
  () => ({ length: -1, 0: 1 }),
  () => ({ toString: 1, valueOf: 1 }),
  () => ({ toString: throws, valueOf: throws, toJSON: throws }),
  () => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}'),
  cycle,
  () => () => undefined,
  () => throws,
  () => class Hostile {},
  () => async () => 1,
  () => new Date(Number.NaN),
  () => /x/g,
  () => new Map([[Number.NaN, 1]]),
  () => new Set([1]),
  () => new Error('an error as a value'),
  () => Promise.resolve(1),
  (below) => new Float32Array(below(20)),
  (below) => new Int32Array(below(20)),
  () => new Float32Array([Number.NaN, Number.POSITIVE_INFINITY, 1e38, 0]),
  () => new Int32Array([-1, 2 ** 31 - 1, -(2 ** 31), 0]),
  () => new Float64Array(4),
  () => new BigInt64Array(4),
  () => new Uint8Array(4),
  () => new DataView(new ArrayBuffer(8)),
  () => new ArrayBuffer(16),
  () => new SharedArrayBuffer(16),
  () => new Float32Array(new SharedArrayBuffer(64)),
  () => new Int32Array(new SharedArrayBuffer(64)),
  () => new Float32Array(new ArrayBuffer(16, { maxByteLength: 64 })),
  outOfBounds,
  () => detached(),
  () => detached(Int32Array),
  () => [detached()],
  detachesWhenRead,
  () => [new Float32Array(4), new Int32Array(2)],
  (below) => Array.from({ length: below(9) }, () => (below(3) ? new Float32Array(4) : null)),
  () => new Proxy({}, { get: throws, has: throws, ownKeys: throws, getPrototypeOf: throws }),
  () => new Proxy([], { get: throws }),
  () => new Proxy(new Float32Array(4), {}),
  () => Object.defineProperty({}, 'x', { get: throws, enumerable: true }),
  () => Object.defineProperty([1, 2], 0, { get: throws }),
  () => revoked({}),
  () => revoked([]),
  () => revoked(() => undefined),
];
