/** Imports go one way, in TypeScript and in C++; nothing goes in circles; nothing lies about unused. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  circles,
  filesBelow,
  type Imports,
  missing,
  nativeIncludes,
  type Order,
  typescriptImports,
  unreached,
  wrongArrows,
} from './imports.js';

const typescriptOrder: Order = [
  ['errors'],
  ['options'],
  ['compute/random', 'compute/tensor'],
  ['compute/expression', 'compute/program'],
  ['compute/graph'],
  ['compute/operations'],
  ['compute/gradients'],
  ['compute/compiler'],
  ['compute/scan'],
  ['compute/engine'],
  ['kernels', 'network'],
  ['data', 'evaluation', 'formats'],
  ['training', 'inference'],
  ['model'],
  ['index'],
  ['dashboard', 'cli'],
];
const nativeOrder: Order = [['base'], ['simd'], ['kernels'], ['engine'], ['binding'], ['test'], ['bench'], ['fuzz']];

const source = new URL('../../src/', import.meta.url).pathname;
const native = new URL('../../native/', import.meta.url).pathname;

describe('the judge itself', () => {
  const order: Order = [['low'], ['left', 'right'], ['high']];
  const tree = (entries: Record<string, string[]>): Imports => new Map(Object.entries(entries));

  it('accepts imports that go down or stay in one place', () => {
    const imports = tree({
      'high.ts': ['left/a.ts', 'low.ts'],
      'left/a.ts': ['left/b.ts'],
      'left/b.ts': [],
      'low.ts': [],
    });
    expect([...wrongArrows(imports, order), ...circles(imports), ...unreached(imports, ['high.ts'])]).toEqual([]);
  });

  it('names an import that goes up, one that goes across, and a file without a place', () => {
    const imports = tree({ 'low.ts': ['high.ts'], 'left/a.ts': ['right/b.ts'], 'other.ts': [] });
    expect(wrongArrows(imports, order)).toEqual([
      'low.ts imports high.ts',
      'left/a.ts imports right/b.ts',
      'other.ts has no place in the order',
    ]);
  });

  it('names a circle, a file that nothing reaches, and an import of nothing', () => {
    const imports = tree({ 'a.ts': ['b.ts'], 'b.ts': ['a.ts'], 'c.ts': ['d.ts'] });
    expect(circles(imports)).toEqual(['a.ts -> b.ts -> a.ts']);
    expect(unreached(imports, ['a.ts'])).toEqual(['c.ts']);
    expect(missing(imports)).toEqual(['c.ts imports d.ts']);
  });
});

describe('TypeScript', () => {
  const imports = typescriptImports(source);

  it('is read: the public names import something', () => {
    expect(imports.get('index.ts')?.length).toBeGreaterThan(5);
  });
  it('imports only files that exist', () => expect(missing(imports)).toEqual([]));
  it('imports one way', () => expect(wrongArrows(imports, typescriptOrder)).toEqual([]));
  it('has no circles', () => expect(circles(imports)).toEqual([]));
  it('has no file that nothing reaches', () => {
    expect(unreached(imports, ['index.ts', 'kernels/index.ts', 'cli/main.ts'])).toEqual([]);
  });
  it('lets data see nothing of the engine but tensors and random numbers', () => {
    const seen = [...imports]
      .filter(([file]) => file.startsWith('data/'))
      .flatMap(([, targets]) => targets)
      .filter((target) => !target.startsWith('data/'));
    const allowed = ['errors.ts', 'options.ts', 'compute/tensor.ts', 'compute/random.ts'];
    expect(seen.filter((target) => !allowed.includes(target))).toEqual([]);
  });
});

describe('C++', () => {
  const includes = nativeIncludes(native);
  const build = readFileSync(new URL('../../CMakeLists.txt', import.meta.url), 'utf8');

  it('is read: the kernels include something', () => {
    expect(
      [...includes].filter(([file, targets]) => file.startsWith('kernels/') && targets.length > 0).length,
    ).toBeGreaterThan(5);
  });
  it('includes one way', () => expect(wrongArrows(includes, nativeOrder)).toEqual([]));
  it('has no circles', () => expect(circles(includes)).toEqual([]));
  it('has no header that no compiled file reaches', () => {
    const compiled = [...includes.keys()].filter((file) => /\.(cc|cpp)$/.test(file));
    expect(unreached(includes, compiled)).toEqual([]);
  });
  it('meets Node only in the binding', () => {
    const outside = filesBelow(native, ['.h', '.cc', '.cpp', '.inc']).filter((file) => !file.startsWith('binding/'));
    expect(
      outside.filter((file) =>
        /#\s*include\s+[<"](napi|node_api|js_native_api)/.test(readFileSync(`${native}${file}`, 'utf8')),
      ),
    ).toEqual([]);
  });
  it('compiles every source file', () => {
    const sources = [...includes.keys()].filter((file) => /\.(cc|cpp)$/.test(file));
    const globbed = (file: string) =>
      [...build.matchAll(/native\/([\w/]*)\*\.(cc|cpp)/g)].some(
        (match) => file.startsWith(match[1]!) && file.endsWith(`.${match[2]}`),
      );
    expect(sources.filter((file) => !build.includes(file) && !globbed(file))).toEqual([]);
  });
});
