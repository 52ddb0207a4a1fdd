import * as Delivery from "@leat/core/Delivery"
import * as Journal from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import * as Effect from "effect/Effect"

import * as JournalSuite from "../src/testing/JournalSuite.ts"
import * as TransportSuite from "../src/testing/TransportSuite.ts"

TransportSuite.suite(
  "memory",
  (worker, layer, records) =>
    MemoryTransport.run(
      worker,
      records.map(({ bytes, key }, index) => Delivery.make({ position: String(index), partitionKey: key, bytes }))
    ).pipe(Effect.provide(layer), Effect.asVoid),
  MemoryTransport.promises
)

JournalSuite.suite("memory", Journal.layerMemory)
