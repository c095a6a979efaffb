// Builds the native addon from source with cmake-js and puts mneme.node where node-gyp-build looks for it.
//
//   node scripts/build-addon.mjs [FOLDER] [--sanitize address,undefined]
//
// FOLDER is build/Release if it is not given; binding.gyp gives its own. CMake works in build-cmake, never in build/,
// which node-gyp clears.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({ options: { sanitize: { type: 'string' } }, allowPositionals: true });
const sanitize = values.sanitize ?? '';
const target = resolve(positionals[0] ?? join(root, 'build', 'Release'));
const work = join(root, sanitize === '' ? 'build-cmake' : `build-cmake-${sanitize.replace(',', '-')}`);

const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const options = ['--directory', root, '--out', work, '--parallel', String(availableParallelism())];
const { status } = spawnSync(process.execPath, [cmakeJs, 'build', ...options, `--CDMNEME_SANITIZE=${sanitize}`], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const built = findAddon(work);
if (!built) throw new Error(`the build made no mneme.node in ${work}`);
mkdirSync(target, { recursive: true });
const placed = join(target, 'mneme.node');
rmSync(placed, { force: true }); // never written over: a process may have it mapped
copyFileSync(built, placed);
console.log(`mneme: built ${placed}`);

function findAddon(folder) {
  for (const name of ['Release', '.']) {
    const place = join(folder, name);
    if (readdirSync(place).includes('mneme.node')) return join(place, 'mneme.node');
  }
}
