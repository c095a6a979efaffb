export class CallersError extends Error {}
export function detached(type?: Float32ArrayConstructor | Int32ArrayConstructor): Float32Array | Int32Array;
export function detachesWhenRead(): unknown[];
export function hostileValue(below: (limit: number) => number): unknown;
