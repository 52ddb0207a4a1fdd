/** The bundle that is deployed, under the runtime client that AWS runs it with; what it printed, line by line. */
import type * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import { LambdaRuntime } from "@leat/transport-kinesis/testing"
import * as Effect from "effect/Effect"

import * as Bundle from "./Bundle.ts"

export type Line = { readonly [name: string]: unknown }

/** A CloudWatch document of ours. */
export interface Metrics {
  readonly _aws: unknown
  readonly CacheStatus: "Hit" | "Miss"
  readonly RecommendationLatency: ReadonlyArray<number>
}

export interface Lambda {
  readonly invoke: (
    event: LambdaEvent.LambdaEvent
  ) => Effect.Effect<LambdaEvent.LambdaResponse, LambdaRuntime.LambdaRuntimeError>
  /** Process ids of its environments, oldest first. */
  readonly pids: () => ReadonlyArray<number>
  /** Everything it printed, as it was. */
  readonly printed: () => string
  /** What it printed since the last call, as JSON; a line that is none is kept under `text`. */
  readonly lines: () => ReadonlyArray<Line>
}

// Printed before the function is loaded, so that a test can send the process a signal.
const sayPid = "--import=data:text/javascript,console.log(`pid%20${process.pid}`)"

export const start = Effect.fnUntraced(function* (env: { readonly [name: string]: string }) {
  yield* Effect.promise(Bundle.ensure)
  let printed = ""
  let read = 0
  const runtime = yield* LambdaRuntime.start({
    taskRoot: Bundle.folder,
    handler: "index.handler",
    functionName: "movie-rec-kinesis-handler",
    env: { ...env, NODE_OPTIONS: sayPid },
    onOutput: (text) => (printed += text)
  })
  const lambda: Lambda = {
    invoke: (event) =>
      Effect.tryPromise({
        try: () => runtime.invoke(event) as Promise<LambdaEvent.LambdaResponse>,
        catch: (error) => error as LambdaRuntime.LambdaRuntimeError
      }),
    pids: () => [...printed.matchAll(/^pid (\d+)$/gm)].map(([, pid]) => Number(pid)),
    printed: () => printed,
    lines: () => {
      const fresh = printed.slice(read)
      read = printed.length
      return fresh.split("\n").flatMap((text) => (text === "" || text.startsWith("pid ") ? [] : [parse(text)]))
    }
  }
  return lambda
})

/** The runtime puts time, request and level before what is logged with `console`; EMF and our lines go past it. */
const prefix = /^[^\t{]+\t[^\t]+\t[A-Z]+\t(?=\{)/

const parse = (text: string): Line => {
  try {
    return JSON.parse(text.replace(prefix, "")) as Line
  } catch {
    return { text }
  }
}

export const isMetrics = (line: Line): boolean => "_aws" in line

/** The CloudWatch documents among the lines. */
export const metrics = (lines: ReadonlyArray<Line>): ReadonlyArray<Metrics> =>
  lines.filter(isMetrics).map((line) => line as unknown as Metrics)

/** How many requests the metrics of these lines count, by cache status. */
export const counted = (lines: ReadonlyArray<Line>): { readonly hits: number; readonly misses: number } => {
  const of = (status: string) =>
    metrics(lines)
      .filter((line) => line.CacheStatus === status)
      .reduce((sum, { RecommendationLatency }) => sum + RecommendationLatency.length, 0)
  return { hits: of("Hit"), misses: of("Miss") }
}

/** What it had no reason to print: neither metrics nor the line of a request that really was slow. */
export const noise = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> =>
  lines.filter((line) => !isMetrics(line) && !(line["message"] === "slow request" && Number(line["latency_ms"]) > 100))

export const nothingReported = { batchItemFailures: [] }
