/** Finds what `JSON.parse` passes over in silence: a key that one object has twice. */

/**
 * @param json a text that `JSON.parse` accepts
 * @returns the first key found twice in one object, or undefined
 */
export function duplicateKey(json: string): string | undefined {
  // One entry an open bracket: the keys of an object so far, or undefined within an array.
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = endOfString(json, i);
      const keys = open.at(-1);
      if (keys && followedByColon(json, end)) {
        // Parsed, because "a" and "\u0061" are the same key.
        const key: string = JSON.parse(json.slice(i, end));
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return undefined;
}

/** The position behind the quotation mark that ends the string begun at `start`. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i + 1;
}

function followedByColon(json: string, position: number): boolean {
  let i = position;
  while (json[i] === ' ' || json[i] === '\n' || json[i] === '\r' || json[i] === '\t') i += 1;
  return json[i] === ':';
}
