/** When generated text ends, and which of its characters may be given out before that is known. */

/** A text whose appearance ends generation, or a question asked after each character, of all that was generated. */
export type Stop = string | ((text: string) => boolean);

export interface StopWatch {
  /** Takes the next character; gives those that are certain to be wanted. */
  push(character: string): { readonly give: readonly string[]; readonly stopped: boolean };
  /** What was held back, when the text ends for another reason. */
  rest(): readonly string[];
}

/** A stopping text is not given out; the character after which a predicate says true is. */
export function watchFor(stop: Stop | undefined): StopWatch {
  if (typeof stop === 'function') {
    let text = '';
    return {
      push(character) {
        text += character;
        return { give: [character], stopped: stop(text) };
      },
      rest: () => [],
    };
  }
  if (stop === undefined) return { push: (character) => ({ give: [character], stopped: false }), rest: () => [] };
  // What could still be the beginning of `stop`.
  let held: readonly string[] = [];
  return {
    push(character) {
      held = [...held, character];
      if (held.join('') === stop) {
        held = [];
        return { give: [], stopped: true };
      }
      let certain = 0;
      while (!stop.startsWith(held.slice(certain).join(''))) certain += 1;
      const give = held.slice(0, certain);
      held = held.slice(certain);
      return { give, stopped: false };
    },
    rest: () => held,
  };
}
