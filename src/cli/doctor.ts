/** `mneme doctor`: what mneme finds on this machine, and whether it computes rightly here. */
import { arch, cpus, freemem, platform, totalmem } from 'node:os';
import type { Command } from 'commander';
import { loadAddon } from '../compute/engine/addon.js';
import { printGibibytes } from '../errors.js';
import { defaultEngine, type Engine } from '../index.js';
import { exitCodes } from './failure.js';
import { selfTest } from './self-test.js';
import { table } from './table.js';

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('Show what mneme runs on here, which engine loads or why not, and test it for a second.')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
Exits with 1 when the engine cannot be had or its self test fails.

Example:
  mneme doctor`,
    )
    .action(doctor);
}

async function doctor({ json }: { readonly json?: true }): Promise<void> {
  const load = loadAddon();
  const choice = chosenEngine();
  const machine = load.addon?.machine();
  const facts: Record<string, string> = {
    node: `${process.version}, ${platform()} ${arch()}`,
    processor: `${machine?.cpu ?? cpus()[0]?.model ?? 'unknown'}, ${machine?.cores ?? cpus().length} cores`,
    memory: `${printGibibytes(machine?.memoryBytes ?? totalmem())}, ${printGibibytes(freemem())} free`,
    'instruction sets': machine ? machine.instructionSets.join(', ') : 'unknown without the addon',
    addon: load.addon ? 'loads' : `does not load: ${'reason' in load ? load.reason : ''}`,
    engine: choice.engine ? `${choice.engine.name} (${choice.engine.instructionSet})` : choice.failure,
    ...(choice.engine ? { threads: String(choice.engine.defaultThreads) } : {}),
  };
  const test = choice.engine ? await selfTest(choice.engine) : { passed: false, says: 'not run: there is no engine' };
  facts['self test'] = test.says;
  if (!load.addon) {
    facts.remedy =
      'A C++ compiler (g++ 10 or newer, or clang), make and CMake 3.18 or newer let `npm rebuild mneme` ' +
      '(in a clone: `npm run build:addon`) build the addon.';
  }
  if (json) process.stdout.write(`${JSON.stringify({ ...facts, healthy: test.passed })}\n`);
  else process.stdout.write(`${table(Object.entries(facts))}\n`);
  if (!test.passed) process.exitCode = exitCodes.failed;
}

function chosenEngine(): { readonly engine: Engine } | { readonly engine?: undefined; readonly failure: string } {
  try {
    return { engine: defaultEngine() };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
