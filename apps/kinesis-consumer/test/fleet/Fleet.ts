/** The processes of a fleet, and who of them says that it reads what. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

import { compiled } from "../Program.ts"
import type { Places } from "./Counting.ts"

export interface Line {
  /** Epoch milliseconds: all run on one host. */
  readonly at: number
  readonly machine: string
  readonly what: string
  readonly shard: string
  readonly token: number
}

/** One run of a handler. */
export interface Run {
  /** Nanoseconds of the host's own clock. */
  readonly at: bigint
  readonly key: string
  readonly number: number
}

export class Fleet {
  readonly lines: Array<Line> = []
  readonly running = new Map<string, ChildProcess>()
  /** How each process ended: its exit code, or the signal that killed it. */
  readonly ended = new Map<string, number | NodeJS.Signals | null>()
  /** Deliveries that were settled in all of them, as far as they lived to say so. */
  settled = 0
  readonly #places: Places
  readonly #notes = mkdtempSync(join(tmpdir(), "leat-fleet-"))
  #heard = Promise.withResolvers<void>()

  constructor(places: Places) {
    this.#places = places
  }

  start(machine: string): void {
    const program = join(import.meta.dirname, "program.ts")
    const args = ["--disable-warning=ExperimentalWarning", program, join(this.#notes, machine)]
    const child = spawn(process.execPath, [...args, JSON.stringify(this.#places)], {
      env: { ...process.env, ...compiled },
      stdio: ["ignore", "pipe", "inherit"]
    })
    this.running.set(machine, child)
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(machine, line))
    child.once("close", (code, signal) => {
      this.running.delete(machine)
      this.ended.set(machine, code ?? signal)
      this.#wake()
    })
  }

  signal(machine: string, signal: NodeJS.Signals): void {
    this.running.get(machine)?.kill(signal)
  }

  /** Shards that a process began and did not leave, if it is alive. */
  reads(machine: string): ReadonlyArray<string> {
    if (!this.running.has(machine)) return []
    const last = new Map(this.lines.filter((line) => line.machine === machine).map((line) => [line.shard, line.what]))
    return [...last].filter(([, what]) => what === "begin").map(([shard]) => shard)
  }

  /** How many shards each process reads, the fewest first. */
  shares(): ReadonlyArray<number> {
    return [...this.running.keys()].map((machine) => this.reads(machine).length).toSorted((a, b) => a - b)
  }

  /** When another process than `machine` has begun each of the shards after line `from`; `undefined` before that. */
  takenOver(machine: string, shards: ReadonlyArray<string>, from: number): number | undefined {
    const begun = shards.map((shard) =>
      this.lines.slice(from).find((line) => line.shard === shard && line.what === "begin" && line.machine !== machine)
    )
    return begun.includes(undefined) ? undefined : Math.max(0, ...begun.map((line) => line?.at ?? 0))
  }

  /** Waits until it is so. */
  async until(what: string, holds: () => boolean, within = 60_000): Promise<void> {
    let late = false
    const alarm = setTimeout(() => {
      late = true
      this.#wake()
    }, within)
    try {
      while (!holds()) {
        if (late) throw new Error(`${what} did not happen: ${JSON.stringify(this.lines.slice(-40))}`)
        await this.#heard.promise
      }
    } finally {
      clearTimeout(alarm)
    }
  }

  /** Asks every process to hand over, and waits for their ends. */
  async leave(): Promise<void> {
    for (const child of this.running.values()) child.kill("SIGTERM")
    await this.until("the end of all processes", () => this.running.size === 0)
  }

  async stop(): Promise<void> {
    for (const child of this.running.values()) child.kill("SIGKILL")
    await this.until("the end of all processes", () => this.running.size === 0)
    rmSync(this.#notes, { recursive: true, force: true })
  }

  /** Every run of a handler in any of the processes, in the order of the host's clock. */
  runs(): ReadonlyArray<Run> {
    const runs = readdirSync(this.#notes).flatMap((file) =>
      readFileSync(join(this.#notes, file), "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line): Run => {
          const [at = "0", key = "", number = ""] = line.split(" ")
          return { at: BigInt(at), key, number: Number(number) }
        })
    )
    return runs.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  }

  #hear(machine: string, line: string): void {
    const [at = "", what = "", shard = "", token = ""] = line.split(" ")
    if (what === "settled") this.settled += Number(token)
    else this.lines.push({ at: Number(at), machine, what, shard, token: Number(token) })
    this.#wake()
  }

  #wake(): void {
    const heard = this.#heard
    this.#heard = Promise.withResolvers()
    heard.resolve()
  }
}
