import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

import * as Cores from "../Cores.ts"

/** One run of wrk (github.com/wg/wrk): one thread, 50 connections. */
export interface Load {
  readonly requests: number
  readonly microseconds: number
  /** Socket errors, timeouts and replies other than 2xx or 3xx. */
  readonly failures: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** wrk's own exit code says nothing: it prints its usage and ends with 1 for `--version` too. */
export const isInstalled = () => spawnSync("wrk", ["--version"]).error === undefined

/** Loads a service for some seconds from the core that isn't measured. */
export const run = async (origin: string, seconds: number): Promise<Load> => {
  const script = fileURLToPath(new URL("hits.lua", import.meta.url))
  const args = ["-t1", "-c50", `-d${seconds}s`, "-s", script, origin]
  const child = Cores.start(Cores.others, "wrk", args, { stdio: ["ignore", "pipe", "inherit"] })
  if (child.stdout === null) throw new Error("no output of wrk")
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")])
  return JSON.parse(printed.trim().split("\n").at(-1) ?? "")
}
