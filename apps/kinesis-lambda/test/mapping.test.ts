/** Good and bad records through a stream and its mapping, as deployed: what was sent is served or given up, and counted. */
import { assert, describe, it } from "@effect/vitest"
import * as EventSourceMapping from "@leat/transport-kinesis/EventSourceMapping"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { badRecords } from "./BadRecords.ts"
import * as Function from "./Function.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as Requests from "./Requests.ts"

const stream = "movie-rec-requests"

const kinesis = Layer.unwrap(
  Effect.map(EmbeddedKinesis.EmbeddedKinesis, ({ endpoint }) => KinesisClient.layer({ endpoint }))
).pipe(Layer.provide(EmbeddedKinesis.layer({ streams: [{ name: stream, shards: 2 }] })))

/** What the stream takes: what isn't base64 can't be put, an empty record neither, and 1 MiB is its limit. */
const poison = badRecords.flatMap(({ data }) =>
  (typeof data === "string" || data instanceof Uint8Array) && data.length > 0 && data.length < 1_000_000 ? [data] : []
)

interface Sent {
  readonly key: string
  readonly data: string | Uint8Array
  /** Set on what can be served. */
  readonly request_id?: string
}

const put = (records: ReadonlyArray<Sent>) =>
  Effect.flatMap(KinesisClient.KinesisClient, (client) =>
    client.putRecords(
      stream,
      records.map(({ data, key }) => ({
        data: typeof data === "string" ? new TextEncoder().encode(data) : data,
        partitionKey: key
      }))
    )
  )

const given = (failures: ReadonlyArray<EventSourceMapping.Failure>) =>
  failures.flatMap(({ records }) => records.map((record) => Buffer.from(record.data).toString("latin1")))

const deployed = (made: Function.Function, failures: Array<EventSourceMapping.Failure>) =>
  EventSourceMapping.make({
    stream,
    handler: made.lambda,
    batchSize: 25,
    maximumBatchingWindow: "50 millis",
    maximumRetryAttempts: 3,
    bisectBatchOnFunctionError: true,
    reportBatchItemFailures: true,
    pollInterval: "250 millis",
    backoff: () => 5,
    onFailure: (failure) => Effect.sync(() => void failures.push(failure))
  })

/** Each user's requests in the order of their first serving. */
const orders = (made: Function.Function) => {
  const orderOf = new Map<number, Array<string>>()
  for (const { request_id, user_id } of made.served()) {
    const order = orderOf.get(user_id) ?? []
    if (!order.includes(request_id)) order.push(request_id)
    orderOf.set(user_id, order)
  }
  return orderOf
}

const users = 8

/** Six requests of each user, and each kind of poison on the shard of some user. */
const sent: ReadonlyArray<Sent> = Array.from({ length: 6 * users }, (_, index): ReadonlyArray<Sent> => {
  const user = (index % users) + 1
  const request_id = `${user}-${Math.floor(index / users)}`
  const bad = poison[index]
  const good = { key: `user-${user}`, data: Requests.of(user, request_id), request_id }
  return bad === undefined ? [good] : [good, { key: `user-${user}`, data: bad }]
}).flat()

const judge = (made: Function.Function, failures: ReadonlyArray<EventSourceMapping.Failure>): void => {
  const served = new Set(made.served().map((one) => one.request_id))
  const letters = new Set(made.letters.map(({ delivery }) => Buffer.from(delivery.bytes).toString("latin1")))
  const givenUp = new Set(given(failures))
  const lost = sent.filter(({ data, request_id }) => {
    const bytes = Buffer.from(data).toString("latin1")
    return !(request_id !== undefined && served.has(request_id)) && !letters.has(bytes) && !givenUp.has(bytes)
  })
  assert.deepStrictEqual(lost, [])
  assert.strictEqual(served.size, 6 * users, "the good ones were all served, whatever stood before them")
  for (const [user, order] of orders(made)) {
    assert.deepStrictEqual(
      order,
      Array.from({ length: 6 }, (_, index) => `${user}-${index}`)
    )
  }
}

const run = (sink: boolean) =>
  Effect.gen(function* () {
    const recommender = yield* RecommenderStub.start
    const env = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENABLED: "false" }
    const made = yield* Function.make({ env, sink })
    const failures: Array<EventSourceMapping.Failure> = []
    yield* put(sent)
    const mapping = yield* deployed(made, failures)
    yield* Effect.timeout(mapping.drained, "20 seconds")
    return { made, failures, stats: yield* mapping.stats }
  })

describe("a stream full of poison behind the mapping", () => {
  it.live(
    "with three retries, bisect and an on-failure destination: served or given up is all that was sent, keys in order",
    () =>
      Effect.gen(function* () {
        assert.isAbove(poison.length, 25)
        const { failures, made, stats } = yield* run(false)
        judge(made, failures)
        const bad = new Set(given(failures))
        for (const data of poison) assert.isTrue(bad.has(Buffer.from(data).toString("latin1")))
        // Bisected until it is alone: a bad record takes no good one along.
        assert.strictEqual(given(failures).length, poison.length)
        assert.strictEqual(stats.settled + stats.givenUp, sent.length)
        assert.strictEqual(stats.givenUp, given(failures).length)
        for (const { document } of failures) {
          assert.strictEqual(document.requestContext.condition, "RetryAttemptsExhausted")
        }
      }).pipe(Effect.provide(kinesis), Effect.scoped),
    30_000
  )

  it.live(
    "with a dead-letter sink: no retry, every bad record is a letter, once",
    () =>
      Effect.gen(function* () {
        const { failures, made, stats } = yield* run(true)
        judge(made, failures)
        assert.deepStrictEqual(given(failures), [])
        assert.strictEqual(made.letters.length, poison.length)
        assert.strictEqual(made.served().length, 6 * users)
        assert.deepStrictEqual([stats.settled, stats.partials, stats.failures], [sent.length, 0, 0])
      }).pipe(Effect.provide(kinesis), Effect.scoped),
    30_000
  )
})

describe("a function with a broken configuration behind the mapping", () => {
  it.live(
    "throws every batch, serves nothing, and all of it is given up, none dropped",
    () =>
      Effect.gen(function* () {
        const made = yield* Function.make({ env: { REDIS_ENABLED: "false" } })
        const failures: Array<EventSourceMapping.Failure> = []
        const some = sent.slice(0, 30)
        yield* put(some)
        const mapping = yield* deployed(made, failures)
        yield* Effect.timeout(mapping.drained, "20 seconds")
        assert.deepStrictEqual(
          given(failures).toSorted(),
          some.map(({ data }) => Buffer.from(data).toString("latin1")).toSorted()
        )
        assert.strictEqual((yield* mapping.stats).settled, 0)
        for (const { document } of failures) {
          assert.strictEqual(document.responseContext?.functionError, "Unhandled")
          assert.strictEqual(document.KinesisBatchInfo.batchSize, 1)
        }
      }).pipe(Effect.provide(kinesis), Effect.scoped),
    30_000
  )
})

describe("a recommender that fails for a while behind the mapping", () => {
  it.live(
    "retries serve everything, in order, and nothing is given up",
    () =>
      Effect.gen(function* () {
        const recommender = yield* RecommenderStub.start
        const env = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENABLED: "false" }
        const made = yield* Function.make({ env })
        const failures: Array<EventSourceMapping.Failure> = []
        // The client does not ask again after a broken answer, so the mapping has to: three times at most, even if all of
        // them meet one shard.
        let left = 3
        recommender.behave = (call, response) =>
          left-- > 0 ? RecommenderStub.body("garbage")(call, response) : RecommenderStub.good(call, response)
        yield* put(sent.filter((one) => one.request_id !== undefined))
        const mapping = yield* deployed(made, failures)
        yield* Effect.timeout(mapping.drained, "20 seconds")
        assert.deepStrictEqual(given(failures), [])
        assert.isAbove((yield* mapping.stats).partials, 0)
        assert.strictEqual(new Set(made.served().map((one) => one.request_id)).size, 6 * users)
        for (const [user, order] of orders(made)) {
          assert.deepStrictEqual(
            order,
            Array.from({ length: 6 }, (_, index) => `${user}-${index}`)
          )
        }
      }).pipe(Effect.provide(kinesis), Effect.scoped),
    30_000
  )
})
