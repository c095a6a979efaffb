// The tasks that recurrent networks are known by: how many of several seeds solve each within a budget of sequences, and after
// how many, beside what was published. A line a cell; networks, seeds and data are the same in every run.
//
//   npm run bench:tasks                                    all tasks, three seeds
//   npm run bench:tasks -- --seeds 1 embedded-reber        one task
//   npm run bench:tasks -- --cell lstm --json              one cell
import { parseArgs } from 'node:util';
import { createTrainer, sequential, tensor, updaters } from 'mneme';
import { tasks } from './tasks/tasks.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '3' },
    cell: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(tasks);
const seeds = Array.from({ length: Number(options.seeds) }, (_, seed) => seed);

for (const name of names) {
  const task = tasks[name];
  if (!task) throw new Error(`There is no task ${name}: ${Object.keys(tasks).join(', ')}.`);
  if (!options.json) console.log(`\n${name}: ${task.published}. Solved: ${task.goal}.`);
  for (const [cell, recurrent] of Object.entries(task.cells)) {
    if (options.cell !== undefined && cell !== options.cell) continue;
    const runs = [];
    for (const seed of seeds) runs.push(await run(task, recurrent, seed));
    report(name, cell, runs);
  }
}

function report(task, cell, runs) {
  const solved = runs.filter((one) => one.solved);
  if (options.json) return console.log(JSON.stringify({ task, cell, runs }));
  const needed = solved.map(({ sequences }) => sequences).sort((a, b) => a - b);
  const after = needed.length > 0 ? `after ${needed.map((n) => n.toLocaleString('en-US')).join(', ')} sequences` : '';
  const scores = runs.map(({ score }) => score.toPrecision(3)).join(', ');
  console.log(
    `  ${cell.padEnd(11)} ${solved.length} of ${runs.length} seeds ${after}; ${tasks[task].measure} ${scores}`,
  );
}

/** Trains one network until it solves the task or has seen as many sequences as the budget allows. */
async function run(task, recurrent, seed) {
  const model = sequential(task.network(recurrent), { seed, input: task.input });
  const trainer = createTrainer(model, {
    loss: task.loss,
    updater: updaters.adam({ learningRate: task.learningRate }),
    clip: { globalNorm: 1 },
  });
  const test = task.test(seed);
  let sequences = 0;
  let score = await scoreOf(task, model, test);
  for (let round = 0; !task.solved(score) && sequences < task.budget; round++) {
    let step;
    for (const batch of task.training(seed, round).epoch(round)) {
      step = trainer.step(batch);
      sequences += batch.inputs.shape[0];
      if (sequences % 320 === 0) await step;
    }
    await step;
    score = await scoreOf(task, model, test);
  }
  trainer.dispose();
  model.dispose();
  return { seed, parameters: model.parameterCount, solved: task.solved(score), sequences, score };
}

async function scoreOf(task, model, test) {
  return task.score(await model.predict(tensor(test.inputs.data, test.inputs.shape)), test);
}
