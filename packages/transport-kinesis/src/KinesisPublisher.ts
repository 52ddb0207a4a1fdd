/**
 * Publishes envelopes to a Kinesis stream.
 *
 * **Guarantees.** Envelopes of one key are accepted in the order given: a request holds at most one of a key, the next
 * waits for its answer, and once one has failed for good the later ones of its key are not sent (`Behind`). Answer `i`
 * belongs to envelope `i`. A lost answer is repeated, so an envelope may lie in the stream twice, with the same id.
 * Nothing is buffered: when `publish` has answered, nothing is in flight. It answers before the deadline in its context.
 *
 * **Gotchas.** A key takes one round trip an envelope. Keys of the caller's run side by side, so publish batches of many.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Codec from "@leat/core/Codec"
import * as Deadline from "@leat/core/Deadline"
import type * as Envelope from "@leat/core/Envelope"
import * as Publisher from "@leat/core/Publisher"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"

import * as KinesisClient from "./KinesisClient.ts"
import * as KinesisError from "./KinesisError.ts"
import * as Round from "./kinesisPublisher/Round.ts"

/**
 * How to publish.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Name or ARN of the stream. */
  readonly stream: string
  /** Default: CloudEvents. */
  readonly codec?: Codec.Codec | undefined
  /** The wire partition key. Default: the envelope's key; without one a random key, and no order. */
  readonly partitionKey?: ((envelope: Envelope.Envelope) => string) | undefined
  /** Largest record of the stream in bytes, key included, up to 10 MiB. Default 1 MiB, that of a stream left alone. */
  readonly maxRecordBytes?: number | undefined
  /** Tries of an entry, the first included; none that the deadline would overtake. Default 6. */
  readonly attempts?: number | undefined
  /** The n-th pause is random between 0 and `base` · 2ⁿ, at most `cap`. Default 100 ms and 5 seconds. */
  readonly backoff?:
    | { readonly base?: Duration.Input | undefined; readonly cap?: Duration.Input | undefined }
    | undefined
}

/**
 * A publisher onto a stream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Publisher.Publisher, never, KinesisClient.KinesisClient> =>
  Effect.map(KinesisClient.KinesisClient, (client) => ({
    publish: (envelopes) => publish(client, options, envelopes)
  }))

/**
 * Publishes a worker's emitted events to a stream.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never, never, KinesisClient.KinesisClient> =>
  Layer.effect(Publisher.Publisher, make(options))

type Answer = Exit.Exit<void, Publisher.PublishError>

const publish = Effect.fnUntraced(function* (
  client: KinesisClient.KinesisClient["Service"],
  options: Options,
  envelopes: ReadonlyArray<Envelope.Envelope>
) {
  const answers = new Map<number, Answer>()
  const until = (yield* Deadline.Deadline) - answering
  let waiting = prepare(options, envelopes, answers)
  while (waiting.length > 0) {
    const now = yield* Clock.currentTimeMillis
    const picked = Round.pick(waiting, now, Round.limits)
    if (picked.length === 0) {
      yield* Effect.sleep(Math.max(1, Round.earliest(waiting) - now))
    } else {
      const results = yield* put(client, options.stream, picked, until)
      const verdicts = yield* Effect.forEach(picked, (entry, at) => judge(options, entry, results[at], until))
      waiting = settle(waiting, verdicts, answers)
    }
  }
  return envelopes.map((_, index) => answers.get(index) ?? behind)
})

/** Milliseconds kept back before the deadline, so that who publishes can still answer. */
const answering = 100

/** Encodes once, so that a repeat carries the same bytes; what can't be sent fails here, and what follows on its key. */
const prepare = (
  options: Options,
  envelopes: ReadonlyArray<Envelope.Envelope>,
  answers: Map<number, Answer>
): ReadonlyArray<Round.Waiting> => {
  const codec = options.codec ?? Codec.cloudEvents()
  const failed = new Set<string>()
  const waiting: Array<Round.Waiting> = []
  for (const [index, envelope] of envelopes.entries()) {
    const partitionKey = options.partitionKey?.(envelope) ?? envelope.key ?? randomUUID()
    if (failed.has(partitionKey)) continue
    const data = encode(codec, envelope)
    const fault = data instanceof Uint8Array ? faultOf(options, { data, partitionKey }) : data
    if (fault === undefined && data instanceof Uint8Array) {
      waiting.push({ index, partitionKey, data, tries: 0, notBefore: 0 })
    } else if (fault !== undefined) {
      failed.add(partitionKey)
      answers.set(index, Exit.fail(fault))
    }
  }
  return waiting
}

const encode = (codec: Codec.Codec, envelope: Envelope.Envelope): Uint8Array | Publisher.PublishError => {
  try {
    return codec.encode(envelope.id === undefined ? { ...envelope, id: randomUUID() } : envelope)
  } catch (cause) {
    return refused(`the ${codec.name} codec can't encode it`, cause)
  }
}

const faultOf = (
  options: Options,
  entry: { readonly data: Uint8Array; readonly partitionKey: string }
): Publisher.PublishError | undefined => {
  // AWS counts characters, not UTF-16 units: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
  const { length } = Array.from(entry.partitionKey)
  if (length < 1 || length > 256) return refused(`the partition key has ${length} characters: 1 to 256 are allowed`)
  // What fits in no request would be waited for without end.
  const largest = Math.min(options.maxRecordBytes ?? 1024 * 1024, Round.limits.maxBytes)
  if (Round.size(entry) <= largest) return undefined
  return new Publisher.PublishError({
    reason: "TooLarge",
    message: `a record of ${Round.size(entry)} bytes with its key: the stream takes ${largest}`,
    retryable: false
  })
}

const refused = (message: string, cause?: unknown): Publisher.PublishError =>
  new Publisher.PublishError({
    reason: "Refused",
    message,
    retryable: false,
    ...(cause === undefined ? {} : { cause })
  })

const behind: Answer = Exit.fail(
  new Publisher.PublishError({
    reason: "Behind",
    message: "an earlier envelope of this key was not accepted",
    retryable: true
  })
)

interface Fault {
  readonly reason: KinesisError.Reason
  readonly message: string
  readonly cause?: unknown
}

/** A result a record, `undefined` when it was accepted: a request that fails as a whole fails each of its records. */
const put = (
  client: KinesisClient.KinesisClient["Service"],
  stream: string,
  entries: ReadonlyArray<Round.Waiting>,
  until: number
): Effect.Effect<ReadonlyArray<Fault | undefined>> =>
  client.putRecords(stream, entries).pipe(
    Effect.map((puts) =>
      puts.map((result) =>
        result._tag === "Accepted"
          ? undefined
          : { reason: KinesisError.reasonOf(result.code), message: `${result.code}: ${result.message}` }
      )
    ),
    Effect.catchTag("KinesisError", (error) =>
      Effect.succeed(entries.map(() => ({ reason: error.reason, message: error.message, cause: error })))
    ),
    before(until, () => entries.map(() => overtaken))
  )

const overtaken: Fault = { reason: "Unavailable", message: "no answer before the deadline" }

/** Without a deadline no timer. */
const before =
  <B>(until: number, otherwise: () => B) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | B, E, R> =>
    until === Infinity
      ? self
      : Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.timeoutOrElse(self, {
            duration: Math.max(0, until - now),
            orElse: () => Effect.sync(otherwise)
          })
        )

type Verdict = { readonly entry: Round.Waiting; readonly answer: Answer | undefined }

const judge = Effect.fnUntraced(function* (
  options: Options,
  entry: Round.Waiting,
  fault: Fault | undefined,
  until: number
) {
  if (fault === undefined) return { entry, answer: Exit.void } satisfies Verdict
  const tries = entry.tries + 1
  if (!KinesisError.isRetryable(fault.reason) || tries >= (options.attempts ?? 6)) {
    return { entry, answer: Exit.fail(publishError(fault)) } satisfies Verdict
  }
  const base = Duration.toMillis(options.backoff?.base ?? 100)
  const cap = Duration.toMillis(options.backoff?.cap ?? "5 seconds")
  // Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
  const pause = (yield* Random.next) * Math.min(cap, base * 2 ** entry.tries)
  const notBefore = (yield* Clock.currentTimeMillis) + pause
  return notBefore < until
    ? ({ entry: { ...entry, tries, notBefore }, answer: undefined } satisfies Verdict)
    : ({ entry, answer: Exit.fail(publishError(fault)) } satisfies Verdict)
})

const publishError = (fault: Fault): Publisher.PublishError => {
  const reason = fault.reason === "Throttled" || fault.reason === "Unavailable" ? fault.reason : "Refused"
  const { cause, message } = fault
  const retryable = KinesisError.isRetryable(fault.reason)
  return new Publisher.PublishError({ reason, message, retryable, ...(cause === undefined ? {} : { cause }) })
}

/** Answered entries leave; of a key that failed all leave; the others stay in their place. */
const settle = (
  waiting: ReadonlyArray<Round.Waiting>,
  verdicts: ReadonlyArray<Verdict>,
  answers: Map<number, Answer>
): ReadonlyArray<Round.Waiting> => {
  const failed = new Set<string>()
  const again = new Map<number, Round.Waiting>()
  for (const { answer, entry } of verdicts) {
    if (answer === undefined) again.set(entry.index, entry)
    else answers.set(entry.index, answer)
    if (answer !== undefined && Exit.isFailure(answer)) failed.add(entry.partitionKey)
  }
  return waiting
    .filter((entry) => !answers.has(entry.index) && !failed.has(entry.partitionKey))
    .map((entry) => again.get(entry.index) ?? entry)
}
