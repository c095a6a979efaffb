/** PyTorch as a peer: a Python process that measures the same cases, a request and an answer a line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MnemeError } from '../../errors.js';
import type { Case } from './cases.js';

export interface Peer {
  readonly version: string;
  /** Builds and warms up a case; the way PyTorch was told to do it that was fastest. */
  prepare(what: Case, threads: number): Promise<string>;
  /** Milliseconds of one run, of each repetition. */
  measure(repetitions: number): Promise<number[]>;
  close(): void;
}

const script = fileURLToPath(new URL('../../../bench/peers/pytorch.py', import.meta.url));

/** The Python with PyTorch: MNEME_PYTORCH_PYTHON, or the environment that `npm run bench:peers` makes. */
export function pytorchPython(): string | undefined {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  const python = process.env.MNEME_PYTORCH_PYTHON ?? path.join(cache, 'mneme', 'pytorch-2.13.0', 'bin', 'python');
  return existsSync(script) && existsSync(python) ? python : undefined;
}

/** @throws {MnemeError} `internal` when the process ends before it answers */
export async function startPytorch(python: string): Promise<Peer> {
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done) throw new MnemeError('internal', `bench: the PyTorch process (${python} ${script}) ended unexpectedly.`);
    return JSON.parse(value);
  };
  const ask = (request: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer();
  };
  await once(child, 'spawn');
  const { version } = await answer();
  return {
    version: String(version),
    prepare: async (what, threads) => String((await ask({ do: 'prepare', case: what, threads })).variant),
    measure: async (repetitions) => (await ask({ do: 'measure', repetitions })).milliseconds as number[],
    close: () => child.stdin.end(),
  };
}
