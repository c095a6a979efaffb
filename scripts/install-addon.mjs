// What `npm install` does about the native addon: a prebuilt one if it fits this machine, else a build from source.
//
// Where neither is possible it says what is missing and how to get it, and succeeds: the reference engine, in
// TypeScript, still works. A build that starts and fails is an error.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const builder = join(root, 'scripts', 'build-addon.mjs');

if (prebuiltFits()) {
  console.log('mneme: a prebuilt addon fits this machine');
} else {
  const missing = missingTools();
  if (missing.length === 0) {
    process.exitCode = spawnSync(process.execPath, [builder], { stdio: 'inherit' }).status ?? 1;
    if (process.exitCode !== 0) {
      console.error(
        'mneme: the native addon did not compile; the messages above say why.\n' +
          'To install without it, on the slow reference engine: npm install --ignore-scripts',
      );
    }
  } else {
    console.warn(
      `mneme: no prebuilt addon fits ${process.platform}-${process.arch}, and to build one ${missing.join(', ')} would be needed.\n` +
        'mneme works without it on its reference engine, a hundred times slower. For the native engine install\n' +
        '  Debian, Ubuntu: apt-get install g++ make cmake\n' +
        '  Fedora:         dnf install gcc-c++ make cmake\n' +
        '  Alpine:         apk add g++ make cmake\n' +
        '  macOS:          xcode-select --install && brew install cmake\n' +
        'and then run: npm rebuild mneme (in a clone of the repository: npm run build:addon)',
    );
  }
}

// Loaded in another process: a binary for other hardware may end it.
function prebuiltFits() {
  const loader = createRequire(import.meta.url).resolve('node-gyp-build');
  const script = `require(${JSON.stringify(loader)})(${JSON.stringify(root)}).machine()`;
  const environment = { ...process.env, PREBUILDS_ONLY: '1' };
  return spawnSync(process.execPath, ['--eval', script], { stdio: 'ignore', env: environment }).status === 0;
}

function missingTools() {
  const works = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
  const compilers = [process.env.CXX, 'c++', 'g++', 'clang++'].filter((command) => command);
  return [
    compilers.some(works) ? '' : 'a C++ compiler',
    works('cmake') ? '' : 'CMake',
    works('ninja') || works('make') ? '' : 'make (or ninja)',
  ].filter((name) => name !== '');
}
