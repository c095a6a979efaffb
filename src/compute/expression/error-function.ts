/** The error function in double precision, which JavaScript does not have. */

/** Where the series gives way to the continued fraction. */
const farOut = 2;
/** From here on erf x is 1 to the last bit. */
const end = 6;
/** Terms of either; more of them would change no bit that the result has. */
const terms = 40;

/**
 * erf x = 2/sqrt(π) times the integral of exp(-t²) from 0 to x, with a relative error below 6e-16.
 *
 * Near 0 it is 2/sqrt(π) exp(-x²) Σ 2^n x^(2n+1) / (1·3·...·(2n+1)), whose terms are all of one sign (Abramowitz and
 * Stegun 1964, 7.1.6); farther out 1 - erfc x, with the continued fraction of erfc (7.1.14).
 */
export function errorFunction(x: number): number {
  const size = Math.abs(x);
  if (size >= end) return Math.sign(x);
  const gaussian = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (size < farOut) {
    let sum = 1;
    for (let term = terms; term > 0; term--) sum = 1 + ((2 * x * x) / (2 * term + 1)) * sum;
    return 2 * gaussian * x * sum;
  }
  let fraction = size;
  for (let term = terms; term > 0; term--) fraction = size + term / 2 / fraction;
  return Math.sign(x) * (1 - gaussian / fraction);
}
