/** Half a core for one process: by a control group where this machine lets us make one, else by stopping it half the time. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the process could see the limit. */
  readonly quota: boolean;
}

/** Runs a command with half a core. */
export async function runOnHalfCore(command: readonly string[]): Promise<Ended> {
  const group = makeGroup();
  // The shell enters the group and becomes the command.
  const entered = group ? ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', group, ...command] : command;
  const child = spawn(entered[0]!, entered.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => stdout.push(data));
  child.stderr.on('data', (data: Buffer) => stderr.push(data));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const stopping = group ? undefined : stopHalfTheTime(child.pid!);
  const status = await ended;
  clearInterval(stopping);
  if (group) rmdirSync(group);
  return { status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), quota: !!group };
}

/** A group of 50 ms in 100, or undefined where there are no control groups or we may not make one. */
function makeGroup(): string | undefined {
  const limits = [
    ['/sys/fs/cgroup/cpu', [['cpu.cfs_quota_us', '50000']]],
    ['/sys/fs/cgroup', [['cpu.max', '50000 100000']]],
  ] as const;
  for (const [parent, files] of limits) {
    const group = join(parent, `mneme-half-core-${process.pid}`);
    try {
      mkdirSync(group);
    } catch {
      continue;
    }
    try {
      for (const [file, text] of files) writeFileSync(join(group, file), text);
      return group;
    } catch {
      rmdirSync(group);
    }
  }
  return undefined;
}

function stopHalfTheTime(pid: number): NodeJS.Timeout {
  let stopped = false;
  return setInterval(() => {
    stopped = !stopped;
    try {
      process.kill(pid, stopped ? 'SIGSTOP' : 'SIGCONT');
    } catch {
      // It has ended.
    }
  }, 50);
}
