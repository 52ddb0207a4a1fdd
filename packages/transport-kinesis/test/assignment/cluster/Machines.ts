/** Programs of a cluster, and who of them says that it runs what. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"

import { shards } from "./shards.ts"

export interface Line {
  /** Epoch milliseconds: all run on one host. */
  readonly at: number
  readonly machine: string
  readonly what: string
  readonly shard: string
  readonly token: number
}

export class Machines {
  readonly lines: Array<Line> = []
  readonly running = new Map<string, ChildProcess>()
  readonly #args: ReadonlyArray<string>
  #heard = Promise.withResolvers<void>()

  constructor(kind: "postgres" | "redis", url: string, namespace: string) {
    this.#args = [kind, url, namespace]
  }

  start(machine: string): void {
    const program = join(import.meta.dirname, "program.ts")
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...this.#args], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    this.running.set(machine, child)
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(machine, line))
    child.once("close", () => {
      this.running.delete(machine)
      this.#wake()
    })
  }

  signal(machine: string, signal: NodeJS.Signals): void {
    this.running.get(machine)?.kill(signal)
  }

  /** Shards that a machine began and did not end, if it is alive. */
  runs(machine: string): ReadonlyArray<string> {
    if (!this.running.has(machine)) return []
    return shards.filter(
      (shard) => this.lines.findLast((line) => line.machine === machine && line.shard === shard)?.what === "begin"
    )
  }

  shares(): ReadonlyArray<number> {
    return [...this.running.keys()].map((machine) => this.runs(machine).length).toSorted()
  }

  /** Waits until it is so. */
  async until(what: string, holds: () => boolean, within = 30_000): Promise<void> {
    const late = setTimeout(
      () => this.#heard.reject(new Error(`${what} did not happen: ${JSON.stringify(this.lines)}`)),
      within
    )
    try {
      while (!holds()) await this.#heard.promise
    } finally {
      clearTimeout(late)
    }
  }

  async stop(): Promise<void> {
    for (const child of this.running.values()) child.kill("SIGKILL")
    await this.until("the end of all machines", () => this.running.size === 0)
  }

  #hear(machine: string, line: string): void {
    const [at = "", what = "", shard = "", token = ""] = line.split(" ")
    this.lines.push({ at: Number(at), machine, what, shard, token: Number(token) })
    this.#wake()
  }

  #wake(): void {
    const heard = this.#heard
    this.#heard = Promise.withResolvers()
    heard.resolve()
  }
}
