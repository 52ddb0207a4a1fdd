import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@leat/core/Codec"
import * as DeadLetterSink from "@leat/core/DeadLetterSink"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as Worker from "@leat/core/Worker"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisDeadLetters from "@leat/transport-kinesis/KinesisDeadLetters"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const Noted = Event.make("Noted", {
  payload: Schema.Struct({ id: Schema.String }),
  key: (payload) => payload.id,
  id: (payload) => payload.id
})

const worker = Worker.make("noting", { events: [Noted], handle: { Noted: () => Effect.void } })

const clientOf = Layer.unwrap(Effect.map(EmbeddedKinesis.EmbeddedKinesis, KinesisClient.layer))
const streams = (...names: ReadonlyArray<string>) =>
  clientOf.pipe(Layer.provide(EmbeddedKinesis.layer({ streams: names.map((name) => ({ name, shards: 1 })) })))

const poison = Uint8Array.of(0, 255, 1, 2)

const process = worker.process([
  Delivery.make({ partition: "shard", position: "1", partitionKey: "k", bytes: '{"id":"a"}' }),
  Delivery.make({ partition: "shard", position: "2", bytes: poison }),
  Delivery.make({ partition: "shard", position: "3", partitionKey: "k", bytes: "{nope" })
])

const letters = Effect.gen(function* () {
  const client = yield* KinesisClient.KinesisClient
  const [shard] = yield* client.listShards("letters")
  const iterator = yield* client.getShardIterator("letters", shard?.shardId ?? "", { _tag: "TrimHorizon" })
  const { records } = yield* client.getRecords(iterator, 100)
  return records.map((record) => {
    const envelope = Codec.cloudEvents().decode(record.data)
    return Schema.decodeUnknownSync(DeadLetterSink.Letter)("data" in envelope ? envelope.data : undefined)
  })
})

describe("KinesisDeadLetters", () => {
  it.live("puts what can't be read on its stream, with its bytes and the reason, and settles it", () =>
    Effect.gen(function* () {
      const { settledPrefix } = yield* process
      assert.strictEqual(settledPrefix, 3)
      const [first, second] = yield* letters
      assert.deepStrictEqual([first?.position, second?.position, second?.partitionKey], ["2", "3", "k"])
      assert.deepStrictEqual(Array.from(first?.bytes ?? []), Array.from(poison))
      assert.match(second?.reason ?? "", /not JSON/)
    }).pipe(
      Effect.provide([
        KinesisDeadLetters.layer({ stream: "letters" }).pipe(Layer.provideMerge(streams("letters"))),
        Journal.layerNone
      ])
    )
  )

  it.live("leaves the record with its transport when there is no such stream", () =>
    Effect.gen(function* () {
      const { outcomes } = yield* process
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Handled", "Failed", "Failed"]
      )
    }).pipe(
      Effect.provide([
        KinesisDeadLetters.layer({ stream: "letters", attempts: 1 }).pipe(Layer.provide(streams("other"))),
        Journal.layerNone
      ])
    )
  )
})
