// Fuzzes everything that reads bytes it cannot trust: program verification (native/fuzz, under the address and
// undefined-behaviour sanitizers) and the readers of files (test/fuzz).
//
//   npm run fuzz -- [--count N] [--seed S] [--keep FOLDER]
//
// N programs and N files of each kind; the same seed gives the same ones. FOLDER takes programs that reached new places.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../', import.meta.url));
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    keep: { type: 'string' },
  },
});
const { count, seed, keep } = values;
console.log(`fuzz: --count ${count} --seed ${seed}`);

run('cmake', ['-S', '.', '-B', 'build-fuzz', '-DMNEME_FUZZ=ON', '-DMNEME_SANITIZE=address,undefined'], 'ignore');
run('cmake', ['--build', 'build-fuzz', '--parallel', '2'], 'ignore');
const kept = keep === undefined ? [] : ['--keep', keep];
run('build-fuzz/mneme_fuzz', ['native/fuzz/corpus', '--count', count, '--seed', seed, ...kept]);
run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/fuzz'], 'inherit', {
  MNEME_FUZZ_COUNT: count,
  MNEME_FUZZ_SEED: seed,
});

function run(command, values, output = 'inherit', environment = {}) {
  const { status } = spawnSync(command, values, {
    cwd: root,
    stdio: ['ignore', output, 'inherit'],
    env: { ...process.env, ...environment },
  });
  if (status !== 0) process.exit(1);
}
