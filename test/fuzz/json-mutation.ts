/** Changes JSON as a tree, and prints what `JSON.stringify` never would: keys twice, `__proto__`, numbers of any form. */
import type { Random } from './random.js';

export type Json =
  | { readonly kind: 'object'; readonly entries: [string, Json][] }
  | { readonly kind: 'array'; readonly items: Json[] }
  | { readonly kind: 'literal'; text: string };

export function jsonOf(value: unknown): Json {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(jsonOf) };
  if (typeof value === 'object' && value !== null) {
    return { kind: 'object', entries: Object.entries(value).map(([key, each]) => [key, jsonOf(each)]) };
  }
  return { kind: 'literal', text: JSON.stringify(value) };
}

export function printJson(json: Json): string {
  if (json.kind === 'literal') return json.text;
  if (json.kind === 'array') return `[${json.items.map(printJson).join(',')}]`;
  return `{${json.entries.map(([key, value]) => `${JSON.stringify(key)}:${printJson(value)}`).join(',')}}`;
}

/** One change somewhere; `lent` is another document of the same kind. */
export function mutateJson(random: Random, json: Json, lent: Json): Json {
  const nodes = [...nodesOf(json)];
  const node = random.pick(nodes);
  const containers = nodes.filter((each) => each.kind !== 'literal');
  if (random.once(4) || containers.length === 0) return replaced(json, node, hostileJson(random));
  const container = random.pick(containers);
  if (container.kind === 'array') mutateItems(random, container.items, lent);
  else if (container.kind === 'object') mutateEntries(random, container.entries, lent);
  return json;
}

function mutateEntries(random: Random, entries: [string, Json][], lent: Json): void {
  const at = random.below(entries.length);
  const entry = entries[at] ?? ['', hostileJson(random)];
  switch (random.below(6)) {
    case 0:
      entries.splice(at, 0, [random.pick(hostileKeys), random.once(2) ? hostileJson(random) : partOf(random, lent)]);
      return;
    case 1:
      entries.splice(at, 1);
      return;
    case 2:
      entries.push([entry[0], hostileJson(random)]);
      return;
    case 3:
      entry[0] = random.pick(hostileKeys);
      return;
    default:
      entry[1] = random.once(3) ? partOf(random, lent) : hostileJson(random, entry[1]);
  }
}

function mutateItems(random: Random, items: Json[], lent: Json): void {
  const at = random.below(items.length);
  switch (random.below(3)) {
    case 0:
      items.splice(at, 0, partOf(random, lent));
      return;
    case 1:
      items.splice(at, 1);
      return;
    default:
      items[at] = hostileJson(random, items[at]);
  }
}

/** A copy: what is changed later in one place stays as it is in the other. */
const partOf = (random: Random, json: Json): Json => structuredClone(random.pick([...nodesOf(json)]));

function* nodesOf(json: Json): Generator<Json> {
  yield json;
  const inner =
    json.kind === 'array' ? json.items : json.kind === 'object' ? json.entries.map(([, value]) => value) : [];
  for (const each of inner) yield* nodesOf(each);
}

function replaced(json: Json, old: Json, by: Json): Json {
  if (json === old) return by;
  if (json.kind === 'array') return { ...json, items: json.items.map((item) => replaced(item, old, by)) };
  if (json.kind === 'literal') return json;
  return { ...json, entries: json.entries.map(([key, value]) => [key, replaced(value, old, by)]) };
}

const hostileKeys = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'then',
  '',
  '0',
  'x',
];
const literal = (text: string): Json => ({ kind: 'literal', text });

/** A value that no reader expects; near `old` where that is a number. */
function hostileJson(random: Random, old?: Json): Json {
  const number = old?.kind === 'literal' ? Number(old.text) : Number.NaN;
  if (Number.isFinite(number) && random.once(2)) {
    return literal(String(random.pick([number + 1, number - 1, number * 2, -number, number + 0.5, number * 2 ** 32])));
  }
  switch (random.below(8)) {
    case 0:
      return literal(
        random.pick(['null', 'true', 'false', '""', '[]', '{}', '-0', '1e999', '-1e999', '1E-400', '0.1']),
      );
    case 1:
      return literal(
        random.pick([
          '-1',
          '0',
          '1',
          '2147483647',
          '2147483648',
          '4294967296',
          '9007199254740991',
          '9007199254740993',
          '1e308',
        ]),
      );
    case 2:
      return literal(
        JSON.stringify(
          random.pick(['../x', '/etc/passwd', '..', 'a\0b', '\ud800', '__proto__', 'constructor', 'lstm', 'F32', 'é']),
        ),
      );
    case 3:
      return literal(JSON.stringify('x'.repeat(2 ** random.below(12))));
    case 4:
      return jsonOf({ toString: 1, valueOf: 1, constructor: 1, length: -1 });
    case 5:
      return literal(
        random.pick(['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}']),
      );
    case 6: {
      const depth = 2 ** random.below(13);
      return literal(
        random.once(2) ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
      );
    }
    default:
      return literal(JSON.stringify(Array.from({ length: random.below(40) }, () => random.below(5) - 1)));
  }
}
