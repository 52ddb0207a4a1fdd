/** The worker on a stream in memory, joined from the environment as the program is. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import type * as Envelope from "@leat/core/Envelope"
import * as Publisher from "@leat/core/Publisher"
import { FakeKinesis } from "@leat/transport-kinesis/testing"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import * as RecommenderStub from "../../kinesis-lambda/test/RecommenderStub.ts"
import * as Requests from "../../kinesis-lambda/test/Requests.ts"
import { consume, parts } from "../src/App.ts"
import * as Ending from "../src/Ending.ts"

const stream = "movie-rec-requests"

const put = (kinesis: FakeKinesis.FakeKinesis["Service"], ...users: ReadonlyArray<number>) =>
  kinesis
    .stream(stream)
    .put(...users.map((user) => ({ data: Requests.of(user, `r-${user}`), partitionKey: `user-${user}` })))

/** A stream, a recommender, and lives of the consumer one after the other. */
const world = (options: Partial<FakeKinesis.StreamOptions> = {}) =>
  Effect.gen(function* () {
    const kinesis = yield* FakeKinesis.make({
      streams: [{ name: stream, shards: 2, ...options }],
      consumerActivation: 0
    })
    const recommender = yield* RecommenderStub.start
    const published: Array<Envelope.Envelope> = []
    const said: Array<string> = []
    const served = () =>
      published.map(({ data }) => (data as { readonly user_id: number }).user_id).toSorted((a, b) => a - b)
    const program = (env: { readonly [name: string]: string } = {}) => {
      const given = {
        RECOMMENDER_ENDPOINT: recommender.url,
        REDIS_ENABLED: "false",
        CHECKPOINT_URL: "memory",
        CONSUMER_POLL_INTERVAL: "10 millis",
        ...env
      }
      return consume.pipe(
        Effect.provide(
          parts.pipe(
            Layer.provideMerge(kinesis.layer),
            Layer.provideMerge([
              Publisher.layerMemory(published),
              Logger.layer([Logger.make(({ message }) => void said.push(String(message)))]),
              ConfigProvider.layer(ConfigProvider.fromEnv({ env: given }))
            ])
          )
        )
      )
    }
    /** One life: until so many were served in all, and then asked to end. */
    const live = (count: number, env: { readonly [name: string]: string } = {}) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(program(env))
        const enough = Effect.repeat(Effect.andThen(Effect.sleep("5 millis"), Effect.sync(served)), {
          until: (users) => users.length >= count
        })
        yield* Effect.raceFirst(enough, Fiber.join(fiber))
        yield* Fiber.interrupt(fiber)
      })
    return { kinesis, served, said, program, live, recommender }
  })

const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index)

describe("the program", () => {
  it.live("serves what lies in the stream, and goes on after a restart where it stood, without repeating", () =>
    Effect.gen(function* () {
      const { kinesis, live, said, served } = yield* world()
      const CHECKPOINT_URL = `sqlite:${join(mkdtempSync(join(tmpdir(), "leat-consumer-")), "checkpoints.sqlite")}`
      yield* put(kinesis, ...upTo(20))
      yield* live(20, { CHECKPOINT_URL })
      yield* put(kinesis, ...upTo(10, 21))
      yield* live(30, { CHECKPOINT_URL })
      assert.deepStrictEqual(served(), upTo(30))
      assert.match(
        said.join("\n"),
        /worker recommendations consumes movie-rec-requests@\d+ as movie-rec-consumer: polling; solo/
      )
      assert.include(said.join("\n"), "no journal: a redelivered event is handled again")
    }).pipe(Effect.scoped)
  )

  it.live("warns where a restart begins anew, and then does", () =>
    Effect.gen(function* () {
      const { kinesis, live, said, served } = yield* world()
      yield* put(kinesis, ...upTo(5))
      yield* live(5)
      assert.match(said.join("\n"), /CHECKPOINT_URL=memory.*a restart begins anew/)
      yield* live(10)
      assert.deepStrictEqual(
        served(),
        [...upTo(5), ...upTo(5)].toSorted((a, b) => a - b)
      )
    }).pipe(Effect.scoped)
  )

  for (const start of ["LATEST", "2099-01-01T00:00:00Z"]) {
    it.live(`begins at CONSUMER_START=${start}, behind what is there already`, () =>
      Effect.gen(function* () {
        const { kinesis, program, served } = yield* world()
        yield* put(kinesis, ...upTo(5))
        yield* Effect.sleep("5 millis")
        const fiber = yield* Effect.forkChild(Effect.exit(program({ CONSUMER_START: start })))
        yield* Effect.sleep("100 millis")
        assert.deepStrictEqual(served(), [])
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.scoped)
    )
  }

  it.live("reads with enhanced fan-out under the application's name", () =>
    Effect.gen(function* () {
      const { kinesis, live, said, served } = yield* world()
      yield* put(kinesis, ...upTo(5))
      yield* live(5, { CONSUMER_FETCHER: "fan-out", CONSUMER_APPLICATION: "movies:eu" })
      assert.deepStrictEqual(served(), upTo(5))
      assert.include(said.join("\n"), "enhanced fan-out")
      assert.isAbove(kinesis.callsOf("SubscribeToShard").length, 0)
      assert.strictEqual(kinesis.callsOf("GetRecords").length, 0)
      const { streamArn } = yield* kinesis.client.describeStreamSummary(stream)
      assert.strictEqual((yield* kinesis.client.describeConsumer(streamArn, "movies-eu")).status, "ACTIVE")
    }).pipe(Effect.scoped)
  )

  it.live("T78: refuses a stream without order unless it is told to report it", () =>
    Effect.gen(function* () {
      const { kinesis, live, program, served } = yield* world({ ignoresPartitionKeys: true })
      const refused = yield* Effect.flip(program())
      assert.strictEqual((refused as { readonly _tag: string })._tag, "StreamSettingsError")
      yield* put(kinesis, ...upTo(5))
      yield* live(5, { ON_UNORDERED: "report" })
      assert.deepStrictEqual(served(), upTo(5))
    }).pipe(Effect.scoped)
  )

  it.live("ends with what a repetition does not mend", () =>
    Effect.gen(function* () {
      const { kinesis, program } = yield* world()
      const missing = yield* Effect.flip(program({ KINESIS_STREAM: "nope" }))
      assert.match(Ending.plain(missing) ?? "", /^the consumer can't run: .*nope/)
      yield* kinesis.fault({ operation: "GetRecords" }, FakeKinesis.fail("AccessDenied"))
      const error = yield* Effect.flip(program())
      assert.strictEqual((error as { readonly reason?: string }).reason, "AccessDenied")
    }).pipe(Effect.scoped)
  )
})
