/**
 * A layer called step by step, with its states handed from call to call, agrees with PyTorch's cells, and so do the
 * gradients that flow back through all calls from every hidden and every cell state.
 */
import { describe, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { reshape, type Value } from '../../src/compute/graph.js';
import { concatenate, slice } from '../../src/compute/operations/index.js';
import { exact, native } from './engines.js';
import { evaluateGraph, incomingGradients } from './evaluate-graph.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';
import { layerOf, parametersOf, type RecurrentOptions, stateLetters, stateNames } from './pytorch-parameters.js';

const cases = fixtureCases('pytorch', 'cell');
const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

describe.skipIf(fixturesAbsent('pytorch'))('cells as PyTorch computes them', () => {
  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const options = fixture.options as unknown as RecurrentOptions;
        const tensors = fixtureTensors('pytorch', fixture);
        const check = checker(fixture, engine!);
        const layer = layerOf(options);
        const parameters = parametersOf(options, tensors, 'param.', '');
        const names = stateNames(options);
        const initial = Object.fromEntries(names.map((state) => [state, tensors[`${stateLetters[state]}0`]!]));
        const incoming = { y: tensors.dy!, ...(tensors.dc ? { c: tensors.dc } : {}) };
        const prefixed = (prefix: string, of: Record<string, unknown>) =>
          Object.fromEntries(Object.keys(of).map((name) => [name, `${prefix} ${name}`]));

        const given = {
          x: tensors.x!,
          ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`parameter ${name}`, value])),
          ...Object.fromEntries(Object.entries(initial).map(([name, value]) => [`state ${name}`, value])),
          ...Object.fromEntries(Object.entries(incoming).map(([name, value]) => [`incoming ${name}`, value])),
        };
        const got = await evaluateGraph(engine!, given, (ports) => {
          const pick = (of: Record<string, string>): Record<string, Value> =>
            Object.fromEntries(Object.entries(of).map(([name, port]) => [name, ports[port]!]));
          const weights = pick(prefixed('parameter', parameters));
          const start = pick(prefixed('state', initial));
          let states: Readonly<Record<string, Value>> = start;
          const calls: { y: Value; c: Value | undefined }[] = [];
          for (let step = 0; step < tensors.x!.shape[0]!; step++) {
            const result = layer.apply(
              {
                input: slice(ports.x!, { axis: 0, start: step, length: 1 }),
                parameters: weights,
                states,
                training: true,
                rate: () => 0,
                random: () => {
                  throw new Error('Nothing is drawn here.');
                },
              },
              { kind: 'vectors', features: options.I, sequence: true },
            );
            states = result.states;
            calls.push({ y: result.output, c: states.cell });
          }
          const stacked = (values: readonly Value[]) => concatenate(values, 0);
          const y = stacked(calls.map((call) => call.y));
          const shape = y.shape;
          const c = tensors.dc && reshape(stacked(calls.map((call) => call.c!)), shape);
          const incomingPairs = [
            [y, ports['incoming y']!] as const,
            ...(c ? [[c, ports['incoming c']!] as const] : []),
          ];
          const initialValues = Object.fromEntries(
            Object.entries(start).map(([name, value]) => [`initial ${name}`, value]),
          );
          return {
            y,
            ...(c ? { c } : {}),
            ...incomingGradients(incomingPairs, { x: ports.x!, ...weights, ...initialValues }),
          };
        });

        check('y', 'output', got.y!, tensors.y!);
        if (tensors.c) check('c', 'output', got.c!, tensors.c);
        check('grad.x', 'gradient', got['gradient of x']!, tensors['grad.x']!);
        for (const [name, want] of Object.entries(parametersOf(options, tensors, 'grad.', ''))) {
          check(`grad.${name}`, 'gradient', got[`gradient of ${name}`]!, want);
        }
        for (const state of names) {
          const want = tensors[`grad.${stateLetters[state]}0`]!;
          check(`grad.${state}`, 'gradient', got[`gradient of initial ${state}`]!, want);
        }
      });
    });
  }
});
