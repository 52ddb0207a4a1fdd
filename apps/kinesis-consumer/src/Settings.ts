/** What the environment says of the consumer itself: which stream, under which name, from where on. */
import type { Options } from "@leat/transport-kinesis/KinesisConsumer"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** An empty variable is one that is not set, as compose files have them. */
const text = (name: string, otherwise: string): Config.Config<string> =>
  Config.map(Config.withDefault(Config.String(name), otherwise), (found) => (found === "" ? otherwise : found))

const fault = (message: string): Config.Config<never> => Config.fail(new ConfigProvider.SourceError({ message }))

/** Where application and stream stand in a name that several programs read: no blanks, nothing to be escaped. */
const application = Config.flatMap(text("CONSUMER_APPLICATION", "movie-rec-consumer"), (name) =>
  /^[\w.:-]{1,128}$/.test(name)
    ? Config.succeed(name)
    : fault(`CONSUMER_APPLICATION is ${JSON.stringify(name)}: give 1 to 128 letters, digits or . _ : -`)
)

type Start = NonNullable<Options["startingPosition"]>

/** A time without a zone would be another moment on each machine. */
const isTime = (text: string): boolean => /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text)

const start: Config.Config<Start> = Config.flatMap(text("CONSUMER_START", "TRIM_HORIZON"), (found) => {
  if (found === "TRIM_HORIZON" || found === "LATEST") return Config.succeed<Start>(found)
  const time = isTime(found) ? DateTime.make(found) : Option.none()
  return Option.isSome(time)
    ? Config.succeed<Start>({ atTimestamp: DateTime.toEpochMillis(time.value) })
    : fault(
        `CONSUMER_START is ${JSON.stringify(found)}: give TRIM_HORIZON, LATEST, or a time such as 2026-01-31T08:00:00Z`
      )
})

const count = (name: string, otherwise: number, maximum: number): Config.Config<number> =>
  Config.withDefault(Config.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum })), name), otherwise)

const time = (name: string, otherwise: string & Duration.Input): Config.Config<Duration.Duration> =>
  Config.flatMap(Config.withDefault(Config.Duration(name), Duration.fromInputUnsafe(otherwise)), (found) =>
    Duration.isGreaterThan(found, Duration.zero)
      ? Config.succeed(found)
      : fault(`${name} must be more than no time: give a duration such as "${otherwise}"`)
  )

/** How records are fetched: `CONSUMER_FETCHER`, and how often a shard is asked that has nothing new. */
export const fetching = Config.all({
  kind: Config.withDefault(Config.Literals(["polling", "fan-out"], "CONSUMER_FETCHER"), "polling"),
  idleInterval: time("CONSUMER_POLL_INTERVAL", "1 second")
})

/** Which application reads which stream. */
export const identity = { stream: text("KINESIS_STREAM", "movie-rec-requests"), application }

/** The consumer's options. */
export const consumer = {
  ...identity,
  startingPosition: start,
  batchSize: count("CONSUMER_BATCH_SIZE", 500, 10_000),
  maxOpenRecords: count("CONSUMER_MAX_OPEN_RECORDS", 10_000, 1_000_000),
  checkpointInterval: time("CONSUMER_CHECKPOINT_INTERVAL", "5 seconds"),
  onUnordered: Config.withDefault(Config.Literals(["refuse", "report"], "ON_UNORDERED"), "refuse")
}
