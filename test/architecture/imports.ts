/** Reads who imports whom from source text, and judges it against an order of places. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Path from the source root -> paths it imports. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** Every file below `root` whose name ends in one of `endings`, relative to it, sorted. */
export function filesBelow(root: string, endings: readonly string[]): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

/** The relative imports and re-exports of every TypeScript file below `root`, of types too. */
export function typescriptImports(root: string): Imports {
  const specifier = /(?:\bfrom|\bimport|\bimport\()\s*'(\.[^']+)'/g;
  return importsOf(root, filesBelow(root, ['.ts']), specifier, (file, name) =>
    path.posix.join(path.posix.dirname(file), name.replace(/\.js$/, '.ts')),
  );
}

/** The quoted includes of every C++ file below `root`; an include is relative to the file or else to the root. */
export function nativeIncludes(root: string): Imports {
  const files = filesBelow(root, ['.h', '.cc', '.cpp', '.inc']);
  const known = new Set(files);
  const included = (file: string, name: string): string => {
    const beside = path.posix.join(path.posix.dirname(file), name);
    return known.has(beside) ? beside : path.posix.normalize(name);
  };
  return importsOf(root, files, /^\s*#\s*include\s+"([^"]+)"/gm, included);
}

function importsOf(
  root: string,
  files: readonly string[],
  pattern: RegExp,
  resolve: (file: string, name: string) => string,
): Imports {
  return new Map(
    files.map((file) => {
      const text = readFileSync(path.join(root, file), 'utf8');
      return [file, [...text.matchAll(pattern)].map((match) => resolve(file, match[1]!))];
    }),
  );
}

/**
 * Places, lowest first; places of one row may not see each other. A place is a folder or a file without its ending;
 * the longest that fits is where a file lives.
 */
export type Order = readonly (readonly string[])[];

/** Sentences about every import that goes up or across, and every file without a place. */
export function wrongArrows(imports: Imports, order: Order): string[] {
  const places = order.flatMap((row, rank) => row.map((name) => ({ name, rank })));
  const placeOf = (file: string) =>
    places
      .filter(({ name }) => file === name || file.startsWith(`${name}/`) || file.replace(/\.[^./]+$/, '') === name)
      .sort((a, b) => b.name.length - a.name.length)[0];
  const faults: string[] = [];
  for (const [file, targets] of imports) {
    const from = placeOf(file);
    if (!from) faults.push(`${file} has no place in the order`);
    for (const target of targets) {
      const to = placeOf(target);
      if (from && to && from !== to && to.rank >= from.rank) faults.push(`${file} imports ${target}`);
    }
  }
  return faults;
}

/** Every circle of imports, as `a -> b -> a`. */
export function circles(imports: Imports): string[] {
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) found.push([...trail.slice(start), file].join(' -> '));
    if (start >= 0 || finished.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...trail, file]);
    finished.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

/** Files that no chain of imports leads to from `roots`. */
export function unreached(imports: Imports, roots: readonly string[]): string[] {
  const reached = new Set<string>();
  const waiting = [...roots];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    waiting.push(...(imports.get(file) ?? []));
  }
  return [...imports.keys()].filter((file) => !reached.has(file));
}

/** Imports of files that do not exist. */
export function missing(imports: Imports): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => !imports.has(target)).map((target) => `${file} imports ${target}`),
  );
}
