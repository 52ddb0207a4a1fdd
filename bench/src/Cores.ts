import { spawn, spawnSync } from "node:child_process"
import type { SpawnOptions } from "node:child_process"
import { availableParallelism } from "node:os"

/**
 * The measured program has core 0 for itself and its garbage collector, which is about what Lambda gives it at one vCPU; all
 * that answers it runs on core 1.
 */
export const measured = 0
export const others = 1

/** Whether this machine can hold a process on one core. Elsewhere (macOS) the bench runs unpinned and says so. */
export const pinning = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0

/** Starts a command on one core where that can be done. `taskset` replaces itself by the command: the pid is the command's. */
export const start = (core: number, command: string, args: ReadonlyArray<string>, options: SpawnOptions) =>
  pinning ? spawn("taskset", ["-c", String(core), command, ...args], options) : spawn(command, args, options)

/** Moves a process that somebody else started, with all its threads. */
export const pin = (core: number, pid: number) => {
  if (pinning) spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", String(core), String(pid)])
}
