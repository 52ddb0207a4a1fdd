import { assert, describe, it } from "@effect/vitest"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as TransportSuite from "../src/testing/TransportSuite.ts"

TransportSuite.suite(
  "memory",
  (worker, layer, records) =>
    MemoryTransport.run(
      worker,
      records.map(({ bytes, key }, index) => Delivery.make({ position: String(index), partitionKey: key, bytes }))
    ).pipe(
      // Who runs it goes on when the journal does.
      Effect.retry({ times: 5, while: ({ retryable }) => retryable }),
      Effect.provide(layer),
      Effect.asVoid
    ),
  MemoryTransport.promises,
  { faults: true }
)

describe("the memory transport", () => {
  it.effect("regression: goes on one by one where a batch was to hold nothing", () =>
    Effect.gen(function* () {
      const counted: Array<number> = []
      const Counted = Event.make("Counted", {
        payload: Schema.Struct({ n: Schema.Int }),
        key: () => "k",
        id: ({ n }) => String(n)
      })
      const worker = Worker.make("counter", {
        events: [Counted],
        handle: { Counted: ({ n }) => Effect.sync(() => void counted.push(n)) }
      })
      yield* MemoryTransport.run(worker, Delivery.ofEvent(Counted, [{ n: 1 }, { n: 2 }]), { batchSize: 0 })
      assert.deepStrictEqual(counted, [1, 2])
    }).pipe(Effect.provide(Journal.layerNone))
  )
})
