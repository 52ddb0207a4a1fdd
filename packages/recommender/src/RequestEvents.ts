/**
 * How request events are read and written in this deployment: the wire format, the default and the largest `top_n`, the
 * partition key.
 *
 * @since 0.1.0
 */
import * as Codec from "@leat/core/Codec"
import * as Envelope from "@leat/core/Envelope"
import * as Undecodable from "@leat/core/Undecodable"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { largestTopN, RecommendationRequested } from "./RecommendationRequested.ts"
import type { RequestPayload } from "./RecommendationRequested.ts"

/**
 * The settings of this deployment.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestEvents {
  /** For a request that names no `top_n`. Default 20. */
  readonly defaultTopN: number
  /** A request for more is bad input. Default 100, at most 1,000. */
  readonly maxTopN: number
  /** The wire partition key of a request. Default `user-{user_id}`. */
  readonly partitionKey: (request: typeof RequestPayload.Type) => string
  /** Reads and writes the body. Default: plain JSON, or CloudEvents where the body says so. */
  readonly codec: Codec.Codec
}

/**
 * Builds settings; see the fields for the defaults.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Partial<RequestEvents> = {}): RequestEvents => {
  const maxTopN = options.maxTopN ?? 100
  return {
    defaultTopN: options.defaultTopN ?? 20,
    maxTopN,
    partitionKey: options.partitionKey ?? RecommendationRequested.partitionKey,
    codec: bounded(options.codec ?? Codec.jsonOrCloudEvents(RecommendationRequested), maxTopN)
  }
}

/**
 * The settings in force.
 *
 * @category references
 * @since 0.1.0
 */
export const RequestEvents: Context.Reference<RequestEvents> = Context.Reference<RequestEvents>(
  "@leat/recommender/RequestEvents",
  { defaultValue: () => make() }
)

/**
 * Reads and writes request events by these settings; what is left out has its default.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Partial<RequestEvents> = {}): Layer.Layer<never> => {
  const settings = make(options)
  return Layer.merge(Layer.succeed(RequestEvents, settings), Codec.layer(settings.codec))
}

const topN = (name: string, otherwise: number, maximum: number, fault: string) =>
  Config.schema(
    Schema.Int.check(
      Schema.makeFilter((value: number) => (value >= 1 && value <= maximum ? undefined : `${name} must be ${fault}`))
    ),
    name
  ).pipe(Config.withDefault(otherwise))

const bounds = Config.flatMap(topN("TOP_N_MAX", 100, largestTopN, `from 1 to ${largestTopN}`), (maxTopN) =>
  Config.map(
    topN("TOP_N_DEFAULT", Math.min(20, maxTopN), maxTopN, `from 1 to TOP_N_MAX, ${maxTopN}`),
    (defaultTopN) => ({
      maxTopN,
      defaultTopN
    })
  )
)

/**
 * Reads and writes request events by `TOP_N_MAX` (100) and `TOP_N_DEFAULT` (20, or `TOP_N_MAX` where that is less).
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<never, Config.ConfigError> = Layer.unwrap(Effect.map(bounds, layer))

/**
 * A request as an envelope, with its partition key: what a publisher sends.
 *
 * @category encoding
 * @since 0.1.0
 */
export const envelope = (settings: RequestEvents, request: typeof RequestPayload.Type): Envelope.Envelope =>
  Envelope.make({
    id: request.request_id,
    type: RecommendationRequested.tag,
    version: RecommendationRequested.version,
    time: request.timestamp,
    key: settings.partitionKey(request),
    data: RecommendationRequested.make(request).data
  })

/** The bound belongs to the deployment, not to the event: it is held where the body is read. */
const bounded = (codec: Codec.Codec, maxTopN: number): Codec.Codec => ({
  ...codec,
  decode: (bytes, version) => {
    const read = codec.decode(bytes, version)
    return read instanceof Undecodable.Undecodable || !isOutside(read.data, maxTopN) ? read : outside(read, maxTopN)
  }
})

const isOutside = (data: unknown, maxTopN: number): boolean =>
  typeof data === "object" &&
  data !== null &&
  "top_n" in data &&
  typeof data.top_n === "number" &&
  (data.top_n > maxTopN || data.top_n < 1)

/** The sender deserves all of its faults, not only this one. */
const outside = (read: Envelope.Envelope, maxTopN: number): Undecodable.Undecodable => {
  const decoded = RecommendationRequested.decode(read.data, read.version)
  const others = Result.isFailure(decoded) ? decoded.failure.faults.filter(({ path }) => path[0] !== "top_n") : []
  const faults = [...others, { path: ["top_n"], message: `Expected a value between 1 and ${maxTopN}` }]
  const lines = faults.map(
    ({ message, path }) => `${message}\n  at ${path.map((part) => `["${String(part)}"]`).join("")}`
  )
  return new Undecodable.Undecodable("Invalid", lines.join("\n"), faults)
}
