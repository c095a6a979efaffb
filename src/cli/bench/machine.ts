/** The machine a benchmark runs on, and its limits, measured in the same run. */
import { loadAddon } from '../../compute/engine/addon.js';
import { MnemeError } from '../../errors.js';
import { defaultEngine } from '../../index.js';

export interface BenchMachine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly isa: string;
  /**
   * Fused multiply-adds in f32 on one thread, GFLOP/s: what shares of the peak are of, times the threads. Measured again
   * beside each case.
   */
  readonly peakGflops: number;
  /** Reading, one thread, GB/s: from half of each cache, and from memory. */
  readonly bandwidth: Readonly<Record<'level1' | 'level2' | 'level3' | 'memory', number>>;
}

/** Fused multiply-adds in f32 on one thread, GFLOP/s, in `seconds`. @throws {MnemeError} `engine-unavailable` */
export function measurePeak(seconds: number): number {
  return loadedAddon().calibrate(defaultEngine().instructionSet, 1, seconds, 0);
}

/** @throws {MnemeError} `engine-unavailable` without the native engine */
export function measureMachine(): BenchMachine {
  const addon = loadedAddon();
  const { cpu, cores, cacheBytes } = addon.machine();
  const isa = defaultEngine().instructionSet;
  const read = (bytes: number): number => addon.calibrate(isa, 1, 0.2, bytes);
  const halfOf = (level: number, otherwise: number): number => read(Math.floor((cacheBytes[level] || otherwise) / 2));
  return {
    cpu,
    cores,
    node: process.version,
    isa,
    peakGflops: measurePeak(0.5),
    bandwidth: {
      level1: halfOf(0, 32 << 10),
      level2: halfOf(1, 512 << 10),
      level3: halfOf(2, 8 << 20),
      memory: read(256 << 20),
    },
  };
}

function loadedAddon() {
  const load = loadAddon();
  if (!load.addon) {
    throw new MnemeError(
      'engine-unavailable',
      `bench measures the native engine, which does not load: ${load.reason}. See 'mneme doctor'.`,
    );
  }
  return load.addon;
}
