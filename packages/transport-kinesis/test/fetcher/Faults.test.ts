import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as Fetcher from "../../src/Fetcher.ts"
import * as EnhancedFanOut from "../../src/fetcher/EnhancedFanOut.ts"
import * as Polling from "../../src/fetcher/Polling.ts"
import type * as KinesisClient from "../../src/KinesisClient.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"

const shardId = "shardId-000000000000"

/** Numbers that look random and are the same for the same seed. */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const faults: ReadonlyArray<FakeKinesis.Fault> = [
  FakeKinesis.pass,
  FakeKinesis.pass,
  FakeKinesis.fail("Throttled"),
  FakeKinesis.fail("Unavailable"),
  FakeKinesis.lose,
  FakeKinesis.delay("7 seconds"),
  FakeKinesis.delay("6 minutes"),
  FakeKinesis.nothing,
  FakeKinesis.silence(1),
  FakeKinesis.breakAfter(1, "Unavailable"),
  FakeKinesis.breakAfter(2, "InUse"),
  FakeKinesis.endAfter(1)
]

const faultsOf = {
  GetShardIterator: faults,
  GetRecords: [...faults, FakeKinesis.fail("ExpiredIterator"), FakeKinesis.fail("ExpiredIterator")],
  SubscribeToShard: faults
}

const begins: ReadonlyArray<KinesisClient.Position> = [
  { _tag: "TrimHorizon" },
  { _tag: "AtTimestamp", at: 0 },
  // At time 0 and before the first record they are the same.
  { _tag: "Latest" }
]

const text = ({ data }: KinesisClient.Record) => new TextDecoder().decode(data)

/** Everything that was put, as one reading of the shard got it under faults of a seed. */
const readUnderFaults = Effect.fnUntraced(function* (
  layer: Layer.Layer<Fetcher.Fetcher, never, KinesisClient.KinesisClient>,
  seed: number
) {
  const below = random(seed)
  const pick = <A>(values: ReadonlyArray<A>): A => values[below(values.length)] as A
  const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", namesChildren: below(2) === 0 }], limits: {} })
  for (const operation of ["GetShardIterator", "GetRecords", "SubscribeToShard"] as const) {
    yield* kinesis.fault({ operation }, ...Array.from({ length: 12 }, () => pick(faultsOf[operation])))
  }
  const fetcher = Context.get(yield* Layer.build(Layer.provide(layer, kinesis.layer)), Fetcher.Fetcher)
  const read = fetcher.read({ stream: "s", shardId, from: pick(begins), onEvent: () => {} })
  const got: Array<string> = []
  const fiber = yield* Stream.runForEach(read, ({ records }) => {
    got.push(...records.map(text))
    return below(4) === 0 ? Effect.sleep(below(20_000)) : Effect.void
  }).pipe(Effect.forkScoped)
  const put: Array<string> = []
  // Until the first call was made LATEST means something else.
  yield* TestClock.adjust("4 seconds")
  while (put.length < 60) {
    const batch = Array.from({ length: below(5) }, (_, index) => ({ data: String(put.length + index) }))
    put.push(...batch.map(({ data }) => data))
    yield* kinesis.stream("s").put(...batch)
    yield* TestClock.adjust(below(40_000))
  }
  yield* kinesis.stream("s").split(shardId)
  yield* TestClock.adjust("2 hours")
  yield* Fiber.join(fiber)
  return { got, put }
}, Effect.scoped)

describe("whatever fails in between, the records of a shard come in order, each once, to its end", () => {
  const options = { maxRecords: 7, readAhead: { records: 10 } }
  const fetchers = [
    ["polling", Polling.layer(options)],
    ["enhanced fan-out", EnhancedFanOut.layer({ consumerName: "app", fallback: options, readAhead: { records: 10 } })]
  ] as const
  for (const [name, layer] of fetchers) {
    for (let seed = 1; seed <= 12; seed++) {
      it.effect(`with ${name}, seed ${seed}`, () =>
        Effect.gen(function* () {
          const { got, put } = yield* readUnderFaults(layer, seed)
          assert.deepStrictEqual(got, put)
        })
      )
    }
  }
})
