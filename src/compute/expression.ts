/** Expressions: scalar functions that are built once, differentiated, simplified, evaluated and encoded. */
export { type Bounds, between, provesFinite, within } from './expression/bounds.js';
export { differentiate } from './expression/differentiate.js';
export { encode, floatBits } from './expression/encode.js';
export { type BlockEvaluator, blockEvaluator, blockLength, evaluate, scalarFunction } from './expression/evaluate.js';
export { countOperations, simplify, simplifyAll } from './expression/simplify.js';
export { constant, Expression, expressionOf, lerp, substitute, variable, variablesOf } from './expression/tree.js';
