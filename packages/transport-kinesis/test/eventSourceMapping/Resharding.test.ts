/** Random splits, merges and restarts under a mapping with checkpoints. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as Checkpoint from "../../src/Checkpoint.ts"
import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import { drain, pass, texts } from "./harness.ts"

const keys = ["a", "b", "c", "d", "e"]
const step = Arbitrary.all({
  what: Arbitrary.schema(Schema.Literals(["put", "split", "merge", "run"])),
  which: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
})

/** Each value of a key once, in order, when the first time counts; every seventh call fails. */
const recorder = () => {
  const first = new Map<string, Array<number>>()
  let calls = 0
  const handler = (event: LambdaEvent.LambdaEvent) => {
    if (++calls % 7 === 0) throw new Error("every seventh")
    for (const text of texts(event)) {
      const [key = "", value = ""] = text.split(" ")
      const values = first.get(key) ?? []
      if (!values.includes(Number(value))) values.push(Number(value))
      first.set(key, values)
    }
  }
  return { first, handler }
}

describe("whatever splits, merges and restarts there are", () => {
  it.effect.prop(
    "T13, T19, T21: every record comes, and those of a key in order",
    [Arbitrary.array(step, { minLength: 1, maxLength: 14 })],
    Effect.fnUntraced(function* ([steps]) {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const stream = kinesis.stream("s")
      const store = yield* Checkpoint.CheckpointStore
      const application = String(steps.length)
      const { first, handler } = recorder()
      const mapping = EventSourceMapping.make({
        stream: "s",
        handler,
        batchSize: 3,
        maximumBatchingWindow: 0,
        parallelizationFactor: 2,
        backoff: () => 100,
        checkpoints: { store, application }
      }).pipe(Effect.provide(kinesis.layer))
      let value = 0
      for (const { what, which } of steps) {
        const open = (yield* stream.shards)
          .filter((shard) => !shard.closed)
          .toSorted((left, right) => (left.hashRange.start < right.hashRange.start ? -1 : 1))
        const [one, two] = [open[which % open.length], open[(which % open.length) + 1]]
        if (what === "put") {
          yield* stream.put(...keys.map((key) => ({ partitionKey: key, data: `${key} ${value}` })))
          value++
        }
        if (what === "split" && one !== undefined && open.length < 6) yield* stream.split(one.shardId)
        if (what === "merge" && one !== undefined && two !== undefined) yield* stream.merge(one.shardId, two.shardId)
        if (what === "run") yield* Effect.scoped(Effect.andThen(mapping, pass((which % 4) / 4)))
      }
      yield* Effect.scoped(Effect.flatMap(mapping, drain))
      const all = Array.from({ length: value }, (_, index) => index)
      for (const key of keys) assert.deepStrictEqual(first.get(key) ?? [], all, key)
    }, Effect.provide(Checkpoint.layerMemory)),
    { arbitrary: { runs: 40 } }
  )
})
