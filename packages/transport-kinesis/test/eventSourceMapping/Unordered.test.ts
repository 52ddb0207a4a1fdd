import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"

describe("a mapping of a stream that ignores partition keys", () => {
  it.effect("T78: says so at its start, and maps it as AWS does", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", ignoresPartitionKeys: true }] })
      const said: Array<string> = []
      const logger = Logger.make(({ message }) => void said.push(String(message)))
      const mapping = yield* EventSourceMapping.make({ stream: "s", handler: async () => undefined }).pipe(
        Effect.provide([kinesis.layer, Logger.layer([logger])])
      )
      assert.match(said.join("\n"), /ignores partition keys/)
      assert.strictEqual((yield* mapping.stats).failures, 0)
    }).pipe(Effect.scoped)
  )
})
