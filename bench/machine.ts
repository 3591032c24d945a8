/** What a run was measured on: processor, system, JavaScript engine, and how busy it was before. */
import { availableParallelism, arch, cpus, loadavg, platform } from 'node:os';
import type { Machine } from './report.ts';

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    system: `${platform()} ${arch()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    date: new Date().toISOString(),
    load: loadavg()[0]!,
  };
}
