import { readFileSync } from "node:fs"

/** What some work took. */
export interface Measured<A> {
  readonly result: A
  /** Milliseconds. */
  readonly wall: number
  /** Microseconds of user and system time of all threads. */
  readonly cpu: number
  /** Milliseconds that this process was ready but another one had the core. */
  readonly waited: number
}

/** Runs something and gives back its time, its CPU and what it had to wait. */
export const measure = async <A>(work: () => Promise<A>): Promise<Measured<A>> => {
  const waitedBefore = waitedMilliseconds()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const result = await work()
  const wall = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  return { result, wall, cpu: user + system, waited: waitedMilliseconds() - waitedBefore }
}

/** Time this process was ready to run but had no processor (Linux, `schedstat`): how much the neighbours took. */
const waitedMilliseconds = () => {
  try {
    return Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[1]) / 1e6
  } catch {
    return Number.NaN
  }
}

/**
 * Collects what preparing left behind. Minor collections only: a forced major one makes V8 forget the hidden classes of
 * objects of which none is alive just then, and the code optimised for them.
 */
export const collectYoung = () => {
  globalThis.gc?.({ type: "minor" })
  globalThis.gc?.({ type: "minor" })
}
