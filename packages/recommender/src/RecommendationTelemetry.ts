/**
 * First telemetry of the recommendation worker: CloudWatch metrics as EMF documents, and a log line for what was slow or
 * failed. Nothing per record on the good path: at most two documents a batch, of up to 100 latencies each.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 * @since 0.1.0
 */
import type { BatchFinished, Reader, WorkerEvent } from "@leat/core/WorkerEvent"
import * as WorkerEvents from "@leat/core/WorkerEvent"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

import { isHit, RecommendationServed } from "./RecommendationServed.ts"
import type { ServedPayload } from "./RecommendationServed.ts"

/**
 * What is written and where.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Writes one line. Default: standard output, past a runtime's own `console`, for EMF must stand alone on its line. */
  readonly write?: ((line: string) => void) | undefined
  /** Milliseconds from which a request is logged as slow. Default 100. */
  readonly slow?: number | undefined
  /** Most lines for slow and failed requests a second; what is beyond is counted in one line. Default 20. */
  readonly linesPerSecond?: number | undefined
}

/**
 * The most values that one EMF metric may carry.
 *
 * @category constants
 * @since 0.1.0
 */
export const valuesPerDocument = 100

/**
 * One EMF document: latencies in milliseconds of requests with one cache status.
 *
 * @category encoding
 * @since 0.1.0
 */
export const document = (cacheStatus: "Hit" | "Miss", latencies: ReadonlyArray<number>, at: number): string =>
  `{"_aws":{"Timestamp":${at},"CloudWatchMetrics":[{"Namespace":"MovieRecommendation","Dimensions":[["CacheStatus"]],` +
  `"Metrics":[{"Name":"RecommendationLatency","Unit":"Milliseconds"}]}]},` +
  `"CacheStatus":"${cacheStatus}","RecommendationLatency":[${numbers(latencies)}]}`

/** Fast path: requests that were served in one turn share one latency, and printing a fraction is dear. */
const numbers = (values: ReadonlyArray<number>): string => {
  let text = ""
  for (let from = 0; from < values.length;) {
    const value = values[from]
    let to = from + 1
    while (to < values.length && values[to] === value) to++
    text += `,${value}`.repeat(to - from)
    from = to
  }
  return text.slice(1)
}

/**
 * Reads the worker's events and writes metrics and lines.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Reader => {
  const write = options.write ?? ((line) => process.stdout.write(`${line}\n`))
  const slow = options.slow ?? 100
  const lines = new LineBudget(options.linesPerSecond ?? 20, write)
  return {
    onEvent: (event) => (event._tag === "BatchFinished" ? onBatch(event, slow, write, lines) : onTrouble(event, write)),
    flush: Effect.sync(() => lines.settle())
  }
}

/**
 * Adds this telemetry to the workers of the program.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> => WorkerEvents.layer(Effect.sync(() => make(options)))

const onBatch = (event: BatchFinished, slow: number, write: (line: string) => void, lines: LineBudget): void => {
  const hits: Array<number> = []
  const misses: Array<number> = []
  let last = -1
  let latency = 0
  event.result.outcomes.forEach((outcome, index) => {
    const measured = event.latencies[index] ?? 0
    if (measured !== last) latency = round((last = measured))
    if (outcome._tag === "Failed")
      return lines.write(event.startedAt, failedLine(event, index, latency, why(outcome.cause)))
    if (outcome._tag === "Parked" || outcome._tag === "Skipped") {
      return lines.write(event.startedAt, failedLine(event, index, latency, outcome.reason))
    }
    const served = outcome._tag === "Handled" ? servedOf(outcome.emitted[0]) : undefined
    if (served === undefined) return
    const hit = isHit(served.source)
    ;(hit ? hits : misses).push(latency)
    if (latency > slow) lines.write(event.startedAt, slowLine(served, latency, hit ? "Hit" : "Miss"))
  })
  const at = Math.round(event.startedAt + event.duration)
  for (const values of chunks(hits)) write(document("Hit", values, at))
  for (const values of chunks(misses)) write(document("Miss", values, at))
}

const servedOf = (emitted: { readonly type: string; readonly payload: unknown } | undefined) =>
  emitted?.type === RecommendationServed.tag ? (emitted.payload as typeof ServedPayload.Type) : undefined

const slowLine = (served: typeof ServedPayload.Type, latency: number, status: "Hit" | "Miss") => ({
  level: "warn",
  message: "slow request",
  request_id: served.request_id,
  user_id: served.user_id,
  latency_ms: latency,
  cache_status: status
})

const failedLine = (event: BatchFinished, index: number, latency: number, error: string) => {
  const request = event.payload(index) as { readonly request_id?: string; readonly user_id?: number } | undefined
  const delivery = event.batch[index]
  return {
    level: "error",
    message: "failed request",
    request_id: request?.request_id,
    user_id: request?.user_id,
    latency_ms: latency,
    position: `${delivery?.partition}/${delivery?.position}`,
    error: error.slice(0, 500)
  }
}

/** The message of an error is ours; its cause may hold an address or a body and stays out. */
const why = (cause: Cause.Cause<unknown>): string => {
  const error: unknown = Cause.squash(cause)
  return typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)
}

const onTrouble = (event: Exclude<WorkerEvent, BatchFinished>, write: (line: string) => void): void => {
  if (event._tag === "HandlerRetried") return
  const reason = event._tag === "BatchAborted" ? event.error.message : event.reason
  write(JSON.stringify({ level: "error", message: event._tag, worker: event.worker, error: reason.slice(0, 500) }))
}

const chunks = (values: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  values.length <= valuesPerDocument
    ? values.length === 0
      ? []
      : [values]
    : Array.from({ length: Math.ceil(values.length / valuesPerDocument) }, (_, index) =>
        values.slice(index * valuesPerDocument, (index + 1) * valuesPerDocument)
      )

/** Hundredths of a millisecond: finer than the clock's noise, short on the wire. */
const round = (milliseconds: number): number => Math.round(milliseconds * 100) / 100

/** So many lines a second; the rest is counted. Telemetry of a bad hour must not be what fills the disk. */
class LineBudget {
  readonly perSecond: number
  readonly out: (line: string) => void
  second = 0
  written = 0
  suppressed = 0

  constructor(perSecond: number, out: (line: string) => void) {
    this.perSecond = perSecond
    this.out = out
  }

  write(now: number, line: object): void {
    const second = Math.floor(now / 1_000)
    if (second !== this.second) {
      this.settle()
      this.second = second
      this.written = 0
    }
    this.written += 1
    if (this.written <= this.perSecond) this.out(JSON.stringify(line))
    else this.suppressed += 1
  }

  settle(): void {
    if (this.suppressed === 0) return
    this.out(JSON.stringify({ level: "warn", message: "log lines suppressed", suppressed: this.suppressed }))
    this.suppressed = 0
  }
}
