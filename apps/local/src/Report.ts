/**
 * What the Lambda says it did, read from the metrics it writes for CloudWatch.
 */
import * as Schema from "effect/Schema"

/** The part of an EMF document that `RecommendationTelemetry` fills. */
const Metrics = Schema.fromJsonString(
  Schema.Struct({
    _aws: Schema.Unknown,
    CacheStatus: Schema.Literals(["Hit", "Miss"]),
    RecommendationLatency: Schema.Array(Schema.Finite)
  })
)

const decode = Schema.decodeUnknownOption(Metrics)

/** Latencies in milliseconds, by cache status. */
export interface Served {
  readonly Hit: ReadonlyArray<number>
  readonly Miss: ReadonlyArray<number>
}

export const nothing: Served = { Hit: [], Miss: [] }

/** The latencies in a line; `undefined` when the line is no metric of ours. */
export const read = (line: string): Served | undefined => {
  if (!line.startsWith('{"_aws"')) return undefined
  const metrics = decode(line)
  if (metrics._tag === "None") return undefined
  const { CacheStatus, RecommendationLatency } = metrics.value
  return { ...nothing, [CacheStatus]: RecommendationLatency }
}

export const merge = (parts: ReadonlyArray<Served>): Served => ({
  Hit: parts.flatMap(({ Hit }) => Hit),
  Miss: parts.flatMap(({ Miss }) => Miss)
})

export const count = (served: Served): number => served.Hit.length + served.Miss.length

/** The smallest value that at least the share `p` of the values does not exceed; `undefined` of none. */
export const quantile = (values: ReadonlyArray<number>, p: number): number | undefined =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(p * values.length) - 1)]

/** What is printed when a burst is over. */
export interface Totals {
  readonly requested: number
  readonly served: Served
  readonly failed: number
  /** Milliseconds from the first request published to the last one settled. */
  readonly elapsed: number
}

export const table = ({ elapsed, failed, requested, served }: Totals): string => {
  const total = count(served)
  const share = (part: number) => (total === 0 ? "–" : `${((100 * part) / total).toFixed(1)} %`)
  const rows = [
    ["", "requests", "share", "p50 ms", "p95 ms", "p99 ms"],
    ["hit", String(served.Hit.length), share(served.Hit.length), ...quantiles(served.Hit)],
    ["miss", String(served.Miss.length), share(served.Miss.length), ...quantiles(served.Miss)],
    ["all", String(total), share(total), ...quantiles([...served.Hit, ...served.Miss])]
  ]
  return [
    ...aligned(rows),
    "",
    `requested ${requested}, served ${total}, failed ${failed}`,
    `hit rate ${share(served.Hit.length)}, throughput ${((1_000 * total) / elapsed).toFixed(0)} requests/s over ${(elapsed / 1_000).toFixed(1)} s`
  ].join("\n")
}

const quantiles = (values: ReadonlyArray<number>): ReadonlyArray<string> =>
  [0.5, 0.95, 0.99].map((p) => quantile(values, p)?.toFixed(2) ?? "–")

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column))
      .join("  ")
      .trimEnd()
  )
}

const pad = (cell: string, width: number, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width)
