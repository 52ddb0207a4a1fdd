/** Programs of this machine that do their work and end, such as apt-get. */
import { spawnSync, type SpawnSyncOptions } from "node:child_process"

/** Whether it can be started here and ends well. */
export const runs = (command: string, args: ReadonlyArray<string>, options: SpawnSyncOptions = {}): boolean =>
  spawnSync(command, args, { ...options, stdio: "ignore" }).status === 0

/** Undefined when it worked, else one line about what did not. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: SpawnSyncOptions = {}
): string | undefined => {
  const { status, stderr, error } = spawnSync(command, args, { ...options, encoding: "utf8" })
  if (status === 0) return undefined
  const reason = error?.message ?? stderr.trim().split("\n").at(-1)
  return `${command} ${args.filter((arg) => /^[a-z]/.test(arg)).join(" ")}: ${reason}`
}

/** What it prints, or nothing when it cannot be started. */
export const printed = (command: string, args: ReadonlyArray<string>): string =>
  spawnSync(command, args, { encoding: "utf8" }).stdout ?? ""

/** Tells the person at the terminal about something that takes a while. */
export const say = (what: string): void => void process.stderr.write(`leat: ${what}\n`)
