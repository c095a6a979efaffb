// The addon under the thread sanitizer, within Node: the tests of engines, of hostile calls and of lifetimes.
//
// Node itself is not instrumented, so the sanitizer takes some of what Node's own threads do among themselves for races. A
// report counts where one of its two accesses happens in the addon or in what the addon calls.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const logs = mkdtempSync(join(tmpdir(), 'mneme-tsan-'));

function run(command, values, environment = {}) {
  return spawnSync(command, values, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } }).status;
}

if (run(process.execPath, ['scripts/build-addon.mjs', 'build-tsan/build/Release', '--sanitize', 'thread']) !== 0)
  process.exit(1);
const library = spawnSync('gcc', ['-print-file-name=libtsan.so'], { encoding: 'utf8' }).stdout.trim();
if (!existsSync(library)) throw new Error('gcc has no libtsan.so');

const tests = ['test/compute/engine', 'test/faults/addon.test.ts', 'test/faults/lifetimes.test.ts'];
const status = run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...tests], {
  MNEME_PREBUILD: join(root, 'build-tsan'),
  LD_PRELOAD: library,
  TSAN_OPTIONS: `exitcode=0 log_path=${join(logs, 'report')}`,
});

const reports = readdirSync(logs).flatMap((name) =>
  readFileSync(join(logs, name), 'utf8').split('WARNING: ThreadSanitizer').slice(1),
);
rmSync(logs, { recursive: true });
const accesses = (report) => report.split(/\n {2}(?:Location|Mutex|Thread|As if)/)[0];
const own = reports.filter((report) => accesses(report).includes('mneme.node'));
for (const report of own) console.error(report);
console.log(
  `thread sanitizer: ${own.length} races in the addon (${reports.length - own.length} reports about Node itself)`,
);
process.exit(status === 0 && own.length === 0 ? 0 : 1);
