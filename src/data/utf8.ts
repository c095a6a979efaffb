/** UTF-8 read piece by piece into code points, strictly: whatever is not well formed is refused with its byte offset. */
import { MnemeError } from '../errors.js';

/** Takes bytes in pieces of any size; a character may lie across two of them. */
export interface Utf8Reader {
  /** @throws {MnemeError} `invalid-text`: which byte, at which offset */
  read(bytes: Uint8Array, take: (codePoint: number) => void): void;
  /** @throws {MnemeError} `invalid-text` when the text ends within a character */
  end(): void;
}

/**
 * Decodes as table 3-7 of the Unicode standard allows: no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * @param where what is read, for messages: a path
 */
export function createUtf8Reader(where: string): Utf8Reader {
  let offset = 0;
  let codePoint = 0;
  let missing = 0;
  // What the next continuation byte may be: narrower than 0x80..0xBF after E0, ED, F0 and F4.
  let low = 0x80;
  let high = 0xbf;

  const refuse = (byte: number): never => {
    throw new MnemeError(
      'invalid-text',
      `${where} is not UTF-8: byte 0x${byte.toString(16).padStart(2, '0')} at offset ${offset} ` +
        `${missing > 0 ? 'does not continue the character before it' : 'cannot begin a character'}. ` +
        `Convert the file to UTF-8, or read it by bytes with { unit: 'byte' }.`,
    );
  };

  const begin = (byte: number): void => {
    low = 0x80;
    high = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
      missing = 1;
      codePoint = byte & 0x1f;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      missing = 2;
      codePoint = byte & 0x0f;
      if (byte === 0xe0) low = 0xa0;
      if (byte === 0xed) high = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      missing = 3;
      codePoint = byte & 0x07;
      if (byte === 0xf0) low = 0x90;
      if (byte === 0xf4) high = 0x8f;
    } else refuse(byte);
  };

  return {
    read(bytes, take) {
      for (const byte of bytes) {
        if (missing === 0) {
          if (byte < 0x80) take(byte);
          else begin(byte);
        } else {
          if (byte < low || byte > high) refuse(byte);
          low = 0x80;
          high = 0xbf;
          codePoint = (codePoint << 6) | (byte & 0x3f);
          missing -= 1;
          if (missing === 0) take(codePoint);
        }
        offset += 1;
      }
    },
    end() {
      if (missing === 0) return;
      throw new MnemeError(
        'invalid-text',
        `${where} is not UTF-8: it ends at offset ${offset} within a character. Is the file truncated?`,
      );
    },
  };
}
