/**
 * The remote recommender: the service of `RecommenderApi` over HTTP, on undici's pool.
 *
 * **Promises**
 *
 * - A request is tried up to `attempts` times with full jitter, only after a transient failure, honouring `Retry-After`, and
 *   never past core's `Deadline`. All endpoints only read, so a second try is safe. What is tried again comes out of one
 *   budget, so an outage costs the service at most a fifth more requests, soon none.
 * - So many calls at once and so many waiting (a batch is one call); one more fails at once. After failures in a row the
 *   service isn't called for a while. Both are `Unavailable`, and retryable.
 * - An answer is bounded in size and checked; one that breaks the contract is `BadAnswer`, not retried.
 * - Many users go through the batch endpoint in chunks; a chunk that fails fails its own items alone, and one that was
 *   refused or answered with 500 is asked for once more, one user at a time, so that only the offender fails. A service
 *   without that endpoint (404, 405, 501) is asked one user at a time, and asked for the endpoint again after five minutes.
 * - Each request says how long it waits (`x-leat-timeout-ms`), so that the service doesn't work for nobody.
 *
 * @since 0.1.0
 */
import * as Deadline from "@leat/core/Deadline"
import type * as Resilience from "@leat/core/Resilience"
import type * as Bulkhead from "@leat/core/resilience/Bulkhead"
import * as Hedge from "@leat/core/resilience/Hedge"
import * as RetryBudget from "@leat/core/RetryBudget"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Array from "effect/Array"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import Pool from "undici/lib/dispatcher/pool.js"

import * as Recommender from "../Recommender.ts"
import * as Exchange from "./http/Exchange.ts"
import * as Guard from "./http/Guard.ts"
import * as Verdict from "./http/Verdict.ts"
import * as Wave from "./http/Wave.ts"

/**
 * Options of the client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Base URL of the service; a path is kept as a prefix. */
  readonly endpoint: URL | string
  /** Connections, one request at a time on each. Default 100, a Lambda batch. */
  readonly connections?: number | undefined
  /** Time for a connection. Default 1 s. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Time for one try, from the wait for a connection to the last byte. Default 2 s. */
  readonly attemptTimeout?: Duration.Input | undefined
  /** Default: 3 attempts, base 50 ms, cap 2 s. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
  /** What tries beyond the first may cost. Default: one of 100 tokens. */
  readonly budget?: RetryBudget.RetryBudget | undefined
  /** Calls at once and waiting; a batch is one. Default 64 and 256. */
  readonly bulkhead?: Bulkhead.Options | undefined
  /** When calls stop. Default: after 5 failures in a row, for 1 s, twice as long each time up to 30 s. */
  readonly breaker?: Resilience.Options["breaker"]
  /** Asks a second time for one user when the answer is late. Default: not. */
  readonly hedge?: Hedge.Options | undefined
  /** Users a call of the batch endpoint asks for. Default 100. */
  readonly batchSize?: number | undefined
  /** How long a missing endpoint, for batches or the popular list, is believed to be missing. Default 5 minutes. */
  readonly probeBatchAfter?: Duration.Input | undefined
  /** Largest answer in bytes. Default 1 MiB. */
  readonly maxBytes?: number | undefined
}

/**
 * A recommender behind HTTP.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Recommender.Recommender> =>
  Layer.effect(
    Recommender.Recommender,
    Effect.flatMap(connect(options), (pool) => make(pool, options))
  )

/**
 * A recommender behind HTTP at `RECOMMENDER_ENDPOINT`, or its alias `FASTAPI_ENDPOINT`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Omit<Options, "endpoint"> = {}
): Layer.Layer<Recommender.Recommender, Config.ConfigError> =>
  Layer.unwrap(Effect.map(endpoint, (found) => layer({ ...options, endpoint: found })))

const url = (name: string): Config.Config<Option.Option<URL>> =>
  Config.option(Config.URL(name)).pipe(
    Config.mapEffect((found) =>
      Option.isNone(found) || isUsable(found.value)
        ? Effect.succeed(found)
        : Effect.fail(configError(`${name} must be an http or https URL without a user and a password`))
    )
  )

const isUsable = (found: URL): boolean =>
  /^https?:$/.test(found.protocol) && found.username === "" && found.password === ""

const configError = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

/**
 * `RECOMMENDER_ENDPOINT`, or its alias `FASTAPI_ENDPOINT`. Two that contradict each other are an error that names both.
 *
 * @category config
 * @since 0.1.0
 */
export const endpoint: Config.Config<URL> = Config.all({
  name: url("RECOMMENDER_ENDPOINT"),
  alias: url("FASTAPI_ENDPOINT")
}).pipe(
  Config.mapEffect(({ alias, name }) => {
    const found = Option.getOrUndefined(name) ?? Option.getOrUndefined(alias)
    if (found === undefined)
      return Effect.fail(configError("RECOMMENDER_ENDPOINT is missing: the URL of the recommender"))
    return Option.isSome(alias) && alias.value.href !== found.href
      ? Effect.fail(configError("RECOMMENDER_ENDPOINT and its alias FASTAPI_ENDPOINT contradict each other: set one"))
      : Effect.succeed(found)
  })
)

interface Settings {
  readonly prefix: string
  readonly budget: RetryBudget.RetryBudget
  readonly hedge: Hedge.Hedge | undefined
  readonly attemptTimeout: number
  readonly retry: RetryPolicy.RetryPolicy
  readonly batchSize: number
  readonly connections: number
  readonly probeBatchAfter: number
  readonly maxBytes: number
}

const settingsOf = (options: Options): Settings => ({
  prefix: new URL(options.endpoint).pathname.replace(/\/+$/, ""),
  attemptTimeout: Duration.toMillis(options.attemptTimeout ?? "2 seconds"),
  retry: options.retry ?? RetryPolicy.make(),
  budget: options.budget ?? RetryBudget.make(),
  hedge: options.hedge && Hedge.makeUnsafe(options.hedge),
  batchSize: options.batchSize ?? 100,
  connections: options.connections ?? 100,
  probeBatchAfter: Duration.toMillis(options.probeBatchAfter ?? "5 minutes"),
  maxBytes: options.maxBytes ?? 1024 * 1024
})

const connect = (options: Options) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new Pool(new URL(options.endpoint).origin, {
          connections: options.connections ?? 100,
          pipelining: 1,
          connectTimeout: Duration.toMillis(options.connectTimeout ?? "1 second"),
          // The timer of the exchange bounds both, to the millisecond; undici's own go off up to 500 ms late.
          headersTimeout: 0,
          bodyTimeout: 0,
          allowH2: false
        })
    ),
    (pool) => Effect.promise(() => pool.destroy())
  )

const make = Effect.fnUntraced(function* (
  pool: Pool,
  options: Options
): Effect.fn.Return<Recommender.Recommender["Service"], never, Scope.Scope> {
  const state: State = { model: undefined, batchMissingUntil: 0, popularMissingUntil: 0 }
  const client = { pool, settings: settingsOf(options), state }
  // Retries, hedges and the time of a try are inside, around each exchange.
  const guard = yield* Guard.make(options)
  return {
    model: () => state.model,
    recommend: guard.one((asked) => single(client, asked)),
    recommendMany: guard.many((asked) => many(client, asked)),
    popular: (top_n) => Effect.mapError(popular(client, top_n), Guard.toError)
  }
})

interface State {
  model: string | undefined
  batchMissingUntil: number
  popularMissingUntil: number
}

interface Client {
  readonly pool: Pool
  readonly settings: Settings
  readonly state: State
}

interface Question<A> extends Pick<Exchange.Request, "method" | "path" | "body"> {
  readonly read: (value: unknown) => A | Verdict.Failure
  /** Default: the client's. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
  /** How a try that was made already went: it counts as the first. */
  readonly tried?: Exit.Exit<A, Verdict.Failure> | undefined
  /** Failures that asking the same again would not mend. */
  readonly isFinal?: (failure: Verdict.Failure) => boolean
}

const ask = <A extends ReadonlyArray<unknown>>(
  client: Client,
  { isFinal, read, retry, tried, ...request }: Question<A>
): Effect.Effect<A, Verdict.Failure> => {
  let first = tried
  const { budget } = client.settings
  const attempt = () => {
    const known = first
    first = undefined
    if (known !== undefined) return known
    return Effect.flatMap(Effect.zip(Clock.currentTimeMillis, Deadline.Deadline), ([now, deadline]) => {
      const timeout = Math.min(client.settings.attemptTimeout, deadline - now)
      if (timeout <= 0) return Exit.fail(Verdict.failure("Timeout", "no time left before the deadline"))
      const { maxBytes, prefix } = client.settings
      return Effect.flatMap(
        Exchange.send(client.pool, { ...request, path: prefix + request.path, timeout, maxBytes }),
        (reply) => settle(client, reply, now, read)
      )
    }).pipe(Effect.mapError((failure) => (isFinal?.(failure) ? { ...failure, retryable: false } : failure)))
  }
  const hedged = request.method === "GET" ? client.settings.hedge?.protect(attempt) : undefined
  const once = hedged === undefined ? attempt : () => hedged(undefined)
  return RetryPolicy.retry(retry ?? client.settings.retry, once, { budget })
}

const settle = <A extends ReadonlyArray<unknown>>(
  client: Client,
  reply: Verdict.Reply,
  now: number,
  read: (value: unknown) => A | Verdict.Failure
): Exit.Exit<A, Verdict.Failure> => {
  const found = Verdict.ofStatus(reply.status, reply.retryAfter, now) ?? read(Verdict.json(reply.body))
  if (Verdict.isFailure(found)) return Exit.fail(found)
  client.state.model = reply.model
  return Exit.succeed(found)
}

const single = (
  client: Client,
  asked: Recommender.RecommendRequest,
  retry?: RetryPolicy.RetryPolicy,
  tried?: Try
): Effect.Effect<Recommender.Ranking, Verdict.Failure> =>
  ask(client, {
    method: "GET",
    path: pathOf(asked),
    read: (value) => Verdict.ranking(value, asked),
    retry,
    tried
  })

/** Only a service of ours has this endpoint; another one says so, and isn't asked again for a while. */
const popular = (client: Client, top_n: number): Effect.Effect<Recommender.Ranking, Verdict.Failure> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    if (now < client.state.popularMissingUntil) return Exit.fail(noPopular)
    const path = `/internal/popular?top_n=${top_n}`
    return Effect.catch(
      ask(client, { method: "GET", path, read: (value) => Verdict.popular(value, top_n) }),
      (failure) => {
        if (!isMissing(failure)) return Exit.fail(failure)
        client.state.popularMissingUntil = now + client.settings.probeBatchAfter
        return Exit.fail(noPopular)
      }
    )
  })

const noPopular = Verdict.failure("Refused", "the service has no list of popular films")

/** The endpoint is not there. */
const isMissing = ({ status }: Verdict.Failure): boolean => status === 404 || status === 405 || status === 501

type Answers = ReadonlyArray<Exit.Exit<Recommender.Ranking, Recommender.RecommenderError>>

const many = (client: Client, asked: ReadonlyArray<Recommender.RecommendRequest>): Effect.Effect<Answers> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    asked.length < 2 || now < client.state.batchMissingUntil
      ? singles(client, asked)
      : Effect.map(
          Effect.forEach(Array.chunksOf(asked, client.settings.batchSize), (chunk) => batch(client, chunk), {
            concurrency: client.settings.connections
          }),
          (answers) => answers.flat()
        )
  )

const singles = (
  client: Client,
  asked: ReadonlyArray<Recommender.RecommendRequest>,
  retry = client.settings.retry
): Effect.Effect<Answers> =>
  Effect.flatMap(firstTries(client, asked), (tries) => {
    const retryable = (one: Try) => Exit.isFailure(one) && retry.attempts > 1
    if (!tries.some(retryable)) return Exit.succeed(tries.map(answerOf))
    return Effect.forEach(
      tries,
      (one, place) => {
        const request = asked[place]
        return request === undefined || !retryable(one)
          ? Exit.succeed(answerOf(one))
          : Effect.exit(Effect.mapError(single(client, request, retry, one), Guard.toError))
      },
      { concurrency: client.settings.connections }
    )
  })

type Try = Exit.Exit<Recommender.Ranking, Verdict.Failure>

const answerOf = (one: Try): Answers[number] => Exit.mapError(one, Guard.toError)

const firstTries = (
  client: Client,
  asked: ReadonlyArray<Recommender.RecommendRequest>
): Effect.Effect<ReadonlyArray<Try>> =>
  Effect.flatMap(Effect.zip(Clock.currentTimeMillis, Deadline.Deadline), ([now, deadline]) => {
    const { attemptTimeout: timeout, connections, maxBytes, prefix } = client.settings
    const paths = asked.map((one) => prefix + pathOf(one))
    return Effect.map(
      Wave.getAll(client.pool, paths, { connections, timeout, left: deadline - now, maxBytes }),
      (found) => asked.map((one, place) => tryOf(client, one, found[place], now))
    )
  })

const tryOf = (
  client: Client,
  asked: Recommender.RecommendRequest,
  found: Verdict.Reply | Verdict.Failure | undefined,
  now: number
): Try => {
  if (found === undefined) return Exit.fail(Verdict.failure("Unavailable", "no answer"))
  return "reason" in found ? Exit.fail(found) : settle(client, found, now, (value) => Verdict.ranking(value, asked))
}

const pathOf = (asked: Recommender.RecommendRequest): string =>
  `/internal/recommend/${asked.user_id}?top_n=${asked.top_n}`

const batch = (client: Client, asked: ReadonlyArray<Recommender.RecommendRequest>): Effect.Effect<Answers> =>
  Effect.matchEffect(
    ask(client, {
      method: "POST",
      path: "/internal/recommend",
      body: JSON.stringify({ requests: asked }),
      read: (value) => Verdict.rankings(value, asked),
      isFinal: mayBeOneItem
    }),
    {
      onSuccess: (found) =>
        Effect.succeed(
          found.map((one) => (Verdict.isFailure(one) ? Exit.fail(Guard.toError(one)) : Exit.succeed(one)))
        ),
      onFailure: (failure) => batchFailed(client, asked, failure)
    }
  )

/** A service that refuses a batch, or breaks over it, may object to one item of it. */
const mayBeOneItem = (failure: Verdict.Failure): boolean => failure.reason === "Refused" || failure.status === 500

const batchFailed = (
  client: Client,
  asked: ReadonlyArray<Recommender.RecommendRequest>,
  failure: Verdict.Failure
): Effect.Effect<Answers> => {
  if (isMissing(failure)) {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      client.state.batchMissingUntil = now + client.settings.probeBatchAfter
      return singles(client, asked)
    })
  }
  // One by one, only the item that is at fault fails. That is their second try; in an outage it must stay the last.
  if (mayBeOneItem(failure)) return singles(client, asked, RetryPolicy.none)
  const failed = Exit.fail(Guard.toError(failure))
  return Effect.succeed(asked.map(() => failed))
}
