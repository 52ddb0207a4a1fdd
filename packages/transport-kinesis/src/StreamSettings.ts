/**
 * Looks at the settings of a stream that break a promise without an error: records out of order, or gone unread.
 *
 * **Guarantees.** A finding says what breaks and what mends it. Settings can be changed at any time, "effective
 * immediately", so one look at the start is not enough: `watch` looks again, and tells what is new and what has passed.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as KinesisClient from "./KinesisClient.ts"
import type * as KinesisError from "./KinesisError.ts"

/**
 * What is expected of a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Needs {
  /** The longest lag that is to be noticed and made up for before records are lost. Default 12 hours. */
  readonly lag?: Duration.Input | undefined
  /** The largest record that will be put, with its key, in bytes. Default: it does not matter. */
  readonly recordBytes?: number | undefined
}

/**
 * Something that is not as it must be (`error`), or is to be known (`warning`, `info`).
 *
 * @category models
 * @since 0.1.0
 */
export type Finding = {
  /** What breaks, and what mends it, in a sentence or two. */
  readonly message: string
} & (
  | {
      /** `RecordDistributionStrategy=AUTO`: the events of one key lie in several shards. */
      readonly _tag: "Unordered"
      readonly severity: "error"
    }
  | {
      /** The stream is deleted, being deleted, or not there yet. */
      readonly _tag: "NotActive"
      readonly severity: "error"
      readonly status: string
    }
  | {
      /** Records may be gone before the lag is noticed. In milliseconds. */
      readonly _tag: "ShortRetention"
      readonly severity: "warning"
      readonly retention: number
      readonly lag: number
    }
  | {
      /** Records that are to be put don't fit. */
      readonly _tag: "SmallRecords"
      readonly severity: "error"
      readonly maxRecordBytes: number
      readonly recordBytes: number
    }
  | {
      /** Provisioned and on-demand were switched between two looks. */
      readonly _tag: "ModeChanged"
      readonly severity: "info"
      readonly from: KinesisClient.Summary["mode"]
      readonly to: KinesisClient.Summary["mode"]
    }
  | {
      /** Deleted and made again under its name between two looks. */
      readonly _tag: "Recreated"
      readonly severity: "error"
      readonly createdAt: number
    }
)

/**
 * A stream is not what it has to be.
 *
 * @category errors
 * @since 0.1.0
 */
export class StreamSettingsError extends Schema.TaggedError<StreamSettingsError>()("StreamSettingsError", {
  reason: Schema.Literals(["Unordered", "NotActive", "Recreated", "SmallRecords", "ShortRetention", "ModeChanged"]),
  stream: Schema.String,
  message: Schema.String,
  /** A person has to mend the stream, or to allow it. */
  retryable: Schema.Boolean
}) {}

/**
 * What is to be said about a stream, given what it was at the last look.
 *
 * @category checks
 * @since 0.1.0
 */
export const check = (
  summary: KinesisClient.Summary,
  needs: Needs = {},
  before?: KinesisClient.Summary
): ReadonlyArray<Finding> =>
  [unordered(summary), notActive(summary), shortRetention(summary, needs), smallRecords(summary, needs)]
    .concat(before === undefined ? [] : [recreated(summary, before), modeChanged(summary, before)])
    .filter((finding) => finding !== undefined)

type Maybe = Finding | undefined

const unordered = (summary: KinesisClient.Summary): Maybe =>
  summary.ignoresPartitionKeys
    ? {
        _tag: "Unordered",
        severity: "error",
        message:
          "the stream ignores partition keys (RecordDistributionStrategy is AUTO): the events of one key lie in several shards, and their order is gone. Set it to USER_PARTITION_KEY, or allow a stream without order"
      }
    : undefined

const notActive = ({ status }: KinesisClient.Summary): Maybe =>
  // UPDATING, while it is resharded or switched, it is read and written.
  status === "ACTIVE" || status === "UPDATING"
    ? undefined
    : {
        _tag: "NotActive",
        severity: "error",
        status,
        message: `the stream is ${status}: it can't be read or written. Create it, or wait until it is ACTIVE`
      }

const shortRetention = ({ retention }: KinesisClient.Summary, needs: Needs): Maybe => {
  const lag = Duration.toMillis(needs.lag ?? "12 hours")
  if (retention > lag) return undefined
  return {
    _tag: "ShortRetention",
    severity: "warning",
    retention,
    lag,
    message: `the stream retains records for ${hours(retention)}, and a lag counts as bad only at ${hours(lag)}: by then records are lost. Raise the retention of the stream, or lower the limit of the lag`
  }
}

const smallRecords = ({ maxRecordBytes }: KinesisClient.Summary, { recordBytes = 0 }: Needs): Maybe =>
  recordBytes <= maxRecordBytes
    ? undefined
    : {
        _tag: "SmallRecords",
        severity: "error",
        maxRecordBytes,
        recordBytes,
        message: `the stream takes records of ${maxRecordBytes} bytes, and up to ${recordBytes} are to be put: larger ones will be refused. Raise the stream's maximum record size (up to 10 MiB), or lower the publisher's`
      }

const modeChanged = ({ mode }: KinesisClient.Summary, before: KinesisClient.Summary): Maybe =>
  mode === before.mode
    ? undefined
    : {
        _tag: "ModeChanged",
        severity: "info",
        from: before.mode,
        to: mode,
        message: `the stream was switched from ${before.mode} to ${mode}: shards may now be split and merged ${mode === "ON_DEMAND" ? "by AWS at any time" : "by its owner only"}, which changes throughput and cost and nothing of the order`
      }

const recreated = ({ createdAt }: KinesisClient.Summary, before: KinesisClient.Summary): Maybe =>
  createdAt === before.createdAt
    ? undefined
    : {
        _tag: "Recreated",
        severity: "error",
        createdAt,
        message:
          "the stream was deleted and made again under its name: positions of the old one mean nothing in it. Start the consumer anew, so that it begins at the first record"
      }

const hours = (millis: number): string => `${Math.round(millis / 360_000) / 10} hours`

/**
 * How to look.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Needs {
  /** Name or ARN. */
  readonly stream: string
  /** What a stream without order means: a failure, or a finding like others. Default `refuse`. */
  readonly onUnordered?: "report" | "refuse" | undefined
  /** Between looks. Default 5 minutes. */
  readonly interval?: Duration.Input | undefined
  /** Called once for each finding when it comes up; again when it went and came back. */
  readonly onFinding?: ((finding: Finding) => void) | undefined
  /** Called when a look failed. The next one comes after the interval all the same. */
  readonly onFailure?: ((error: KinesisError.KinesisError) => void) | undefined
}

/**
 * Looks once. Fails when the stream is not to be used; other findings are logged, told, and returned.
 *
 * @category checks
 * @since 0.1.0
 */
export const verify = Effect.fn("StreamSettings.verify")(function* (options: Options) {
  const { summary } = yield* look(options, none)
  return summary
})

/**
 * Looks now and then at each interval, for ever. Fails as `verify` does; a call that fails is told and made again.
 *
 * **Gotchas.** A consumer races it, so that a stream that loses its order stops it.
 *
 * @category checks
 * @since 0.1.0
 */
export const watch = (
  options: Options,
  since?: KinesisClient.Summary
): Effect.Effect<never, StreamSettingsError, KinesisClient.KinesisClient> =>
  Effect.gen(function* () {
    let seen = since === undefined ? none : seenIn(since, check(since, options))
    if (since !== undefined) yield* Effect.sleep(options.interval ?? "5 minutes")
    for (;;) {
      seen = yield* Effect.catchTag(look(options, seen), "KinesisError", (error) => failed(options, error, seen))
      yield* Effect.sleep(options.interval ?? "5 minutes")
    }
  })

/** The last look. */
interface Seen {
  readonly summary: KinesisClient.Summary | undefined
  readonly tags: ReadonlySet<Finding["_tag"]>
}

const none: Seen = { summary: undefined, tags: new Set() }

const seenIn = (summary: KinesisClient.Summary, findings: ReadonlyArray<Finding>) => ({
  summary,
  tags: new Set(findings.filter(lasts).map(({ _tag }) => _tag))
})

const look = Effect.fnUntraced(function* (options: Options, before: Seen) {
  const client = yield* KinesisClient.KinesisClient
  const summary = yield* client.describeStreamSummary(options.stream)
  const findings = check(summary, options, before.summary)
  for (const finding of findings) {
    if (before.tags.has(finding._tag)) continue
    options.onFinding?.(finding)
    yield* log(options, finding)
  }
  const refused = findings.find((finding) => isRefused(options, finding))
  if (refused !== undefined) return yield* refusal(options, refused)
  return seenIn(summary, findings)
})

/** A change is news each time; the others are as long as they are. */
const lasts = ({ _tag }: Finding): boolean => _tag !== "ModeChanged" && _tag !== "Recreated"

const isRefused = ({ onUnordered = "refuse" }: Options, { _tag }: Finding): boolean =>
  (_tag === "Unordered" && onUnordered === "refuse") || _tag === "Recreated"

const refusal = ({ stream }: Options, { _tag, message }: Finding): StreamSettingsError =>
  new StreamSettingsError({ reason: _tag, stream, message: `${stream}: ${message}`, retryable: false })

const log = ({ stream }: Options, { message, severity }: Finding): Effect.Effect<void> => {
  const line = `${stream}: ${message}`
  if (severity === "error") return Effect.logError(line)
  return severity === "warning" ? Effect.logWarning(line) : Effect.logInfo(line)
}

const failed = (options: Options, error: KinesisError.KinesisError, seen: Seen): Effect.Effect<Seen> =>
  Effect.as(
    Effect.andThen(
      Effect.sync(() => options.onFailure?.(error)),
      Effect.logWarning(`${options.stream}: its settings could not be looked at: ${error.message}`)
    ),
    seen
  )
