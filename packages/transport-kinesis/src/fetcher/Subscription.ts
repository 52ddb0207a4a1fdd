/**
 * One shard over subscriptions that follow each other without a gap.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import type * as Fetcher from "../Fetcher.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Cursor from "./Cursor.ts"
import * as Pace from "./Pace.ts"
import type * as Registration from "./Registration.ts"
import * as Verdict from "./Verdict.ts"

/**
 * What the shards of one fetcher share.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly registration: Registration.Registration
  /** Milliseconds. */
  readonly idleTimeout: number
}

/**
 * Enhanced fan-out does not work here. What it delivered is delivered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Impossible {
  readonly _tag: "Impossible"
  readonly error: KinesisError.KinesisError
  readonly from: KinesisClient.Position
}

// Within 5 seconds of a subscription AWS refuses another one for the same consumer and shard.
const exclusive = 5000

type Failure = KinesisError.KinesisError | Impossible

interface Live {
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<Arr.NonEmptyReadonlyArray<KinesisClient.Push>, KinesisError.KinesisError>
  readonly arn: string
  readonly start: KinesisClient.Position
  pushed: boolean
}

interface Shard extends Options {
  readonly request: Fetcher.Request
  readonly scope: Scope.Scope
  cursor: Cursor.Cursor
  /** Where the last push said to go on: further than the last record on a quiet shard. */
  continuation: string | undefined
  live: Live | undefined
  notBefore: number
  failures: number
  ended: boolean
}

/**
 * The next page of a shard, at each turn, and `undefined` at its end. The subscription ends with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options,
  request: Fetcher.Request
): Effect.Effect<Effect.Effect<Fetcher.Page | undefined, Failure>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const shard: Shard = {
      ...options,
      request,
      scope,
      cursor: Cursor.make(request.from),
      continuation: undefined,
      live: undefined,
      notBefore: 0,
      failures: 0,
      ended: false
    }
    return next(shard)
  })

const next = (shard: Shard): Effect.Effect<Fetcher.Page | undefined, Failure> =>
  Effect.suspend(() =>
    shard.ended
      ? Effect.undefined
      : Effect.flatMap(once(shard), (page) => (page === undefined ? next(shard) : Effect.succeed(page)))
  )

/** A page, or nothing where a subscription ended or broke and another one is due. */
const once = Effect.fnUntraced(function* (shard: Shard) {
  const live = shard.live ?? (yield* subscribe(shard))
  const pulled = yield* pull(shard, live)
  if (pulled._tag === "Pushed") return accept(shard, live, pulled.pushes)
  shard.live = undefined
  yield* Scope.close(live.scope, Exit.void)
  if (pulled._tag === "Failed") yield* mend(shard, live, pulled.error)
  if (pulled._tag === "Silent") {
    resubscribed(shard, `no push for ${shard.idleTimeout} ms`)
    yield* rest(shard, "Unavailable")
  }
  return undefined
})

type Pulled =
  | { readonly _tag: "Pushed"; readonly pushes: Arr.NonEmptyReadonlyArray<KinesisClient.Push> }
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Silent" }
  | { readonly _tag: "Failed"; readonly error: KinesisError.KinesisError }

const pull = (shard: Shard, live: Live): Effect.Effect<Pulled> =>
  Effect.map(live.pull, (pushes): Pulled => ({ _tag: "Pushed", pushes })).pipe(
    Pull.catchDone(() => Effect.succeed<Pulled>({ _tag: "Ended" })),
    Effect.timeoutOption(shard.idleTimeout),
    Effect.result,
    Effect.map((result) =>
      Result.isFailure(result)
        ? { _tag: "Failed", error: result.failure }
        : Option.getOrElse(result.success, (): Pulled => ({ _tag: "Silent" }))
    )
  )

const subscribe = Effect.fnUntraced(function* (shard: Shard) {
  const { client, registration, request } = shard
  const report = (error: KinesisError.KinesisError) => failed(shard, error)
  const arn = yield* Effect.catchTag(registration.arn(request.stream, report), "KinesisError", (error) =>
    Effect.fail(error.reason === "NotFound" ? error : impossible(shard, error))
  )
  const due = (yield* Clock.currentTimeMillis) - shard.notBefore
  if (due < 0) yield* Effect.sleep(-due)
  const now = yield* Clock.currentTimeMillis
  shard.notBefore = now + exclusive
  const start = startOf(shard)
  shard.cursor = Cursor.resolve(shard.cursor, now)
  const scope = yield* Scope.fork(shard.scope)
  const pulling = yield* Scope.provide(Stream.toPull(client.subscribeToShard(arn, request.shardId, start)), scope)
  const live: Live = { scope, pull: pulling, arn, start, pushed: false }
  shard.live = live
  return live
})

const startOf = ({ continuation, cursor }: Shard): KinesisClient.Position =>
  continuation === undefined ? Cursor.start(cursor) : { _tag: "After", sequenceNumber: continuation }

const accept = (shard: Shard, live: Live, pushes: Arr.NonEmptyReadonlyArray<KinesisClient.Push>): Fetcher.Page => {
  const last = pushes[pushes.length - 1] ?? pushes[0]
  const { cursor, records } = Cursor.accept(
    shard.cursor,
    pushes.flatMap((push) => push.records)
  )
  shard.cursor = cursor
  shard.continuation = last.continuation
  shard.ended = last.continuation === undefined
  shard.failures = 0
  live.pushed = true
  return { records, millisBehindLatest: last.millisBehindLatest }
}

/** Gets the shard ready for another subscription, or fails. */
const mend = Effect.fnUntraced(function* (shard: Shard, live: Live, error: KinesisError.KinesisError) {
  const verdict = Verdict.judge(error, live.start, yield* Clock.currentTimeMillis)
  if (error.reason === "NotFound") return yield* registerAnew(shard, live, error)
  if (verdict === "Fail" || verdict === "Renew") {
    return yield* Effect.fail(isImpossible(error) ? impossible(shard, error) : error)
  }
  if (verdict === "Oldest") {
    tellTrimmed(shard, "sequenceNumber" in live.start ? live.start.sequenceNumber : "")
    shard.cursor = Cursor.toOldest(shard.cursor)
    shard.continuation = undefined
  } else if (live.pushed) resubscribed(shard, error.message)
  else failed(shard, error)
  // Another process reads, or did a moment ago: after 5 seconds this one takes over.
  if (error.reason === "InUse") shard.notBefore = (yield* Clock.currentTimeMillis) + exclusive
  return yield* rest(shard, error.reason)
})

/** No permission for it, or no such operation: Kinesis-like services have none. */
const isImpossible = ({ reason }: KinesisError.KinesisError): boolean =>
  reason === "AccessDenied" || reason === "Unknown"

const impossible = ({ cursor }: Shard, error: KinesisError.KinesisError): Impossible => ({
  _tag: "Impossible",
  error,
  from: cursor.delivered === undefined ? cursor.position : { _tag: "After", sequenceNumber: cursor.delivered }
})

/** Somebody may have deregistered the consumer. When it is there, it is the shard or the stream that is not. */
const registerAnew = Effect.fnUntraced(function* (shard: Shard, live: Live, error: KinesisError.KinesisError) {
  const { registration, request } = shard
  yield* registration.forget(request.stream, live.arn)
  const arn = yield* Effect.catchTag(
    registration.arn(request.stream, (failure) => failed(shard, failure)),
    "KinesisError",
    (failure) => Effect.fail(failure.reason === "NotFound" ? failure : impossible(shard, failure))
  )
  if (arn === live.arn) return yield* error
  failed(shard, error)
  return yield* rest(shard, error.reason)
})

const failed = ({ request }: Shard, error: KinesisError.KinesisError): void =>
  request.onEvent({ _tag: "FetchFailed", shardId: request.shardId, error })

const tellTrimmed = ({ request }: Shard, position: string, resumed?: string): void =>
  request.onEvent({ _tag: "RecordsTrimmed", shardId: request.shardId, position, resumed })

const resubscribed = ({ request }: Shard, reason: string): void =>
  request.onEvent({ _tag: "Resubscribed", shardId: request.shardId, reason })

const rest = Effect.fnUntraced(function* (shard: Shard, reason: KinesisError.Reason) {
  shard.failures += 1
  yield* Effect.sleep(Pace.rest(reason, shard.failures, yield* Random.next))
})
