import { crc32 } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"

import * as KinesisSdk from "../../src/internal/KinesisSdk.ts"
import type * as KinesisClient from "../../src/KinesisClient.ts"
import type * as KinesisError from "../../src/KinesisError.ts"
import { kinesisOverHttp2 } from "../kinesisOverHttp2.ts"
import type { Answer } from "../kinesisOverHttp2.ts"

const number32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const header = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7, 0, value.length]), Buffer.from(value)])

/** One message of https://smithy.io/2.0/aws/amazon-eventstream.html. */
const message = (headers: Readonly<Record<string, string>>, body: object): Buffer => {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)))
  const payload = Buffer.from(JSON.stringify(body))
  const lengths = Buffer.concat([number32(16 + head.length + payload.length), number32(head.length)])
  const all = Buffer.concat([lengths, number32(crc32(lengths)), head, payload])
  return Buffer.concat([all, number32(crc32(all))])
}

const event = (type: string, body: object): Buffer =>
  message({ ":message-type": "event", ":event-type": type, ":content-type": "application/json" }, body)

const exception = (type: string): Buffer =>
  message(
    { ":message-type": "exception", ":exception-type": type, ":content-type": "application/json" },
    { message: "said so" }
  )

const push = (data: string, continuation: string | undefined, more: object = {}): Buffer =>
  event("SubscribeToShardEvent", {
    Records: [
      {
        SequenceNumber: "495",
        PartitionKey: "k",
        Data: Buffer.from(data).toString("base64"),
        ApproximateArrivalTimestamp: 1
      }
    ],
    ...(continuation === undefined ? {} : { ContinuationSequenceNumber: continuation }),
    MillisBehindLatest: 7,
    ...more
  })

const begun =
  (...messages: ReadonlyArray<Buffer>): Answer =>
  (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/vnd.amazon.eventstream" })
    stream.write(event("initial-response", {}))
    for (const bytes of messages) stream.write(bytes)
  }

const refusal =
  (type: string): Answer =>
  (stream) => {
    stream.respond({ ":status": 400, "content-type": "application/x-amz-json-1.1" })
    stream.end(JSON.stringify({ __type: type, message: "said so" }))
  }

const aws = Effect.fnUntraced(function* (answer: Answer, requestTimeout?: number) {
  const { left, sdk } = yield* kinesisOverHttp2(answer)
  const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/app:1"
  const calls = KinesisSdk.calls(sdk, requestTimeout)
  return { left, pushes: calls.subscribeToShard(arn, "shardId-000000000000", { _tag: "TrimHorizon" }) }
})

const failure = (
  pushes: Stream.Stream<KinesisClient.Push, KinesisError.KinesisError>
): Effect.Effect<KinesisError.KinesisError> =>
  Effect.orDie(Effect.timeout(Effect.flip(Stream.runDrain(pushes)), "5 seconds"))

describe("a subscription over HTTP/2", () => {
  it.live("gives what is pushed, and at the end of a shard its children", () =>
    Effect.gen(function* () {
      const { pushes } = yield* aws((stream) => {
        begun(push("1", "495"), push("2", undefined, { ChildShards: [{ ShardId: "shardId-000000000001" }] }))(stream)
        stream.end()
      })
      const all = yield* Stream.runCollect(pushes)
      assert.deepStrictEqual(
        all.map(({ children, continuation, millisBehindLatest }) => [continuation, millisBehindLatest, children]),
        [
          ["495", 7, []],
          [undefined, 7, ["shardId-000000000001"]]
        ]
      )
      assert.deepStrictEqual(
        all.flatMap(({ records }) =>
          records.map(({ arrival, data, partitionKey, sequenceNumber }) => [
            sequenceNumber,
            partitionKey,
            arrival,
            new TextDecoder().decode(data)
          ])
        ),
        [
          ["495", "k", 1000, "1"],
          ["495", "k", 1000, "2"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("T46: outlives a silence that is longer than any other call may take", () =>
    Effect.gen(function* () {
      const { pushes } = yield* aws((stream) => {
        begun(push("1", "495"))(stream)
        setTimeout(() => stream.end(push("2", "496")), 400)
      })
      assert.strictEqual((yield* Stream.runCollect(pushes)).length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("is let go of when its reader leaves while it is quiet", () =>
    Effect.gen(function* () {
      const { left, pushes } = yield* aws(begun(push("1", "495")))
      const first = yield* Deferred.make<void>()
      const reader = yield* Effect.forkChild(Stream.runForEach(pushes, () => Deferred.succeed(first, undefined)))
      yield* Deferred.await(first)
      yield* Effect.timeout(Fiber.interrupt(reader), "2 seconds")
      yield* left
    }).pipe(Effect.scoped)
  )

  it.live("is let go of when its reader leaves before it is answered", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const { left, pushes } = yield* aws(() => Deferred.doneUnsafe(asked, Effect.void))
      const reader = yield* Effect.forkChild(Stream.runDrain(pushes))
      yield* Deferred.await(asked)
      yield* Effect.timeout(Fiber.interrupt(reader), "2 seconds")
      yield* left
    }).pipe(Effect.scoped)
  )

  const midway: ReadonlyArray<readonly [string, KinesisError.Reason, boolean]> = [
    ["ResourceInUseException", "InUse", true],
    ["ResourceNotFoundException", "NotFound", false],
    ["KMSThrottlingException", "Throttled", true],
    ["KMSAccessDeniedException", "Encryption", false],
    ["KMSDisabledException", "Encryption", false],
    ["InternalFailureException", "Unavailable", true]
  ]
  for (const [type, reason, retryable] of midway) {
    it.live(`T50: that is sent ${type} fails as ${reason}`, () =>
      Effect.gen(function* () {
        const { pushes } = yield* aws(begun(push("1", "495"), exception(type)))
        const error = yield* failure(pushes)
        assert.deepStrictEqual(
          [error.reason, error.retryable, error.operation],
          [reason, retryable, "SubscribeToShard"]
        )
      }).pipe(Effect.scoped)
    )
  }

  it.live("T47: that breaks off in the midst of a push may be made anew", () =>
    Effect.gen(function* () {
      const half = push("2", "496").subarray(0, 40)
      const { pushes } = yield* aws((stream) => {
        begun(push("1", "495"), half)(stream)
        stream.end()
      })
      const error = yield* failure(pushes)
      assert.deepStrictEqual([error.reason, error.retryable], ["Unavailable", true])
    }).pipe(Effect.scoped)
  )

  it.live("regression: that never begins is unavailable after the request timeout", () =>
    Effect.gen(function* () {
      const { pushes } = yield* aws(() => {}, 100)
      const error = yield* failure(pushes)
      assert.deepStrictEqual([error.reason, error.retryable], ["Unavailable", true])
    }).pipe(Effect.scoped)
  )

  it.live("T48: that is refused says why", () =>
    Effect.gen(function* () {
      const { pushes } = yield* aws(refusal("ResourceInUseException"))
      assert.strictEqual((yield* failure(pushes)).reason, "InUse")
    }).pipe(Effect.scoped)
  )
})
