import { assert, describe, it } from "@effect/vitest"
import * as DeadLetterSink from "@leat/core/DeadLetterSink"
import * as Deadline from "@leat/core/Deadline"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import { TransportSuite } from "@leat/core/testing"
import * as Worker from "@leat/core/Worker"
import * as WorkerEvent from "@leat/core/WorkerEvent"
import * as EventSourceMapping from "@leat/transport-kinesis/EventSourceMapping"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, id: Schema.String, does: Schema.optionalKey(Schema.String) }),
  key: (payload) => payload.user,
  id: (payload) => payload.id
})

const order = (id: string, does?: string) => JSON.stringify({ user: id.slice(0, 1), id, ...(does ? { does } : {}) })

const scripted = (handled: Array<string> = []) =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ does, id }) {
        if (does === "refuse") yield* new Refused({ retryable: true })
        if (does === "wait") yield* Effect.never
        handled.push(id)
      }
    }
  })

/** Sequence numbers as Kinesis gives them: 56 digits, which no JavaScript number can tell apart. */
const sequence = (index: number) => `495903382714902566085596925383615710959215759891365${String(1000 + index)}`

const eventOf = (...bodies: ReadonlyArray<string | Uint8Array>) =>
  LambdaEvent.make(...bodies.map((data, index) => ({ data, sequenceNumber: sequence(index) })))

const reported = (response: LambdaEvent.LambdaResponse) => response.batchItemFailures.map((item) => item.itemIdentifier)

const invoke = (
  lambda: KinesisLambda.KinesisLambda,
  event: unknown,
  options: Parameters<typeof LambdaEvent.context>[0] = {}
) => Effect.promise(() => lambda(event as LambdaEvent.LambdaEvent, LambdaEvent.context(options)))

describe("KinesisLambda", () => {
  it.live("answers an empty list when everything is settled", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      assert.deepStrictEqual(yield* invoke(lambda, eventOf(order("a1"), order("b1"))), { batchItemFailures: [] })
      assert.deepStrictEqual(yield* invoke(lambda, { Records: [] }), { batchItemFailures: [] })
      assert.deepStrictEqual(handled, ["a1", "b1"])
    })
  )

  it.live("T69 T70 reports only the lowest number that is not settled, compared as an integer", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      const event = LambdaEvent.make(
        { data: order("a1"), sequenceNumber: "99" },
        { data: order("b1", "refuse"), sequenceNumber: "100" },
        { data: order("b2"), sequenceNumber: "101" },
        { data: order("c1", "refuse"), sequenceNumber: "1000" }
      )
      assert.deepStrictEqual(reported(yield* invoke(lambda, event)), ["100"])
      assert.deepStrictEqual(handled, ["a1"])
    })
  )

  it.live("T70 hands back what can't start before the function is killed", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      const response = yield* invoke(lambda, eventOf(order("a1")), { remaining: Deadline.reserve - 1 })
      assert.deepStrictEqual(reported(response), [sequence(0)])
      assert.deepStrictEqual(handled, [])
    })
  )

  it.live("interrupts what is in flight half a second before the function is killed", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      const response = yield* invoke(lambda, eventOf(order("a1"), order("b1", "wait")), {
        remaining: Deadline.reserve + 50
      })
      assert.deepStrictEqual(reported(response), [sequence(1)])
    })
  )

  it.live("gives bad records to the dead-letter sink with their bytes, each with its reason, and goes on", () =>
    Effect.gen(function* () {
      const letters: Array<DeadLetterSink.DeadLetter> = []
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(
        scripted(handled),
        Layer.merge(Journal.layerNone, DeadLetterSink.layerMemory(letters))
      )
      const aggregate = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2, 1, 2, 3)
      const event = eventOf(
        order("a1"),
        aggregate,
        "{nope",
        '{"user":1}',
        "[".repeat(200_000),
        '{"__proto__":{"user":"a"}}',
        order("a2")
      )
      const [first, ...others] = event.Records
      assert.isDefined(first)
      const mangled = { ...first, kinesis: { ...first.kinesis, data: "???", sequenceNumber: sequence(50) } }
      const numeric = { ...first, kinesis: { ...first.kinesis, data: 7, sequenceNumber: sequence(51) } }
      const response = yield* invoke(lambda, { Records: [first, ...others, mangled, numeric] })
      assert.deepStrictEqual(response, { batchItemFailures: [] })
      assert.deepStrictEqual(handled, ["a1", "a2"])
      assert.deepStrictEqual(
        letters.map((letter) => letter.reason.split("\n")[0]?.slice(0, 30)),
        [
          "an aggregated record of the Ki",
          "not JSON in UTF-8: Expected pr",
          "Expected string",
          "not JSON in UTF-8: Unexpected ",
          "Missing key",
          "`kinesis.data` is not base64",
          "`kinesis.data` is not a string"
        ]
      )
      assert.deepStrictEqual(letters[0]?.delivery.bytes, Buffer.from(aggregate))
    })
  )

  it.live("without a sink reports the first record it can't read, for the mapping's on-failure destination", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      const response = yield* invoke(lambda, eventOf(order("a1"), "{nope", order("b1")))
      assert.deepStrictEqual(reported(response), [sequence(1)])
    })
  )

  const rejection = (lambda: KinesisLambda.KinesisLambda, event: LambdaEvent.LambdaEvent) =>
    Effect.promise(() =>
      lambda(event, LambdaEvent.context()).then(
        () => undefined,
        (error: unknown) => error
      )
    )

  it.live("throws over a record that can never succeed and heads its batch, so that Lambda bisects it free", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      const error = yield* rejection(lambda, eventOf("{nope", order("a1")))
      assert.instanceOf(error, KinesisLambda.PoisonRecord)
      assert.match(error.message, new RegExp(`${sequence(0)}.*not JSON`))
      assert.deepStrictEqual(handled, ["a1"])
    })
  )

  it.live(
    "reports it when it is alone, when nothing succeeds, when it may later, and where the policy is to halt",
    () =>
      Effect.gen(function* () {
        const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
        assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf("{nope"))), [sequence(0)])
        assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf("{nope", "{none"))), [sequence(0)])
        assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(order("a1", "refuse"), order("b1")))), [
          sequence(0)
        ])
        const halting = Layer.merge(Journal.layerNone, FailurePolicy.layer({ permanent: "halt" }))
        const event = eventOf("{nope", order("a1"))
        assert.deepStrictEqual(reported(yield* invoke(KinesisLambda.make(scripted(), halting), event)), [sequence(0)])
      })
  )

  it.live("T68 names what is wrong with an event of another trigger, and fails the invocation", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      for (const event of [{}, null, { Records: "x" }, { Records: [{ body: "sqs" }] }]) {
        const error = yield* Effect.flip(
          Effect.tryPromise({
            try: () => lambda(event as never, LambdaEvent.context()),
            catch: (cause) => new Refused({ retryable: String(cause).includes("not a Kinesis event") })
          })
        )
        assert.isTrue(error.retryable, JSON.stringify(event))
      }
    })
  )

  it.live("builds its layers once, and again after a build that failed", () =>
    Effect.gen(function* () {
      let builds = 0
      const flaky = Layer.effect(
        Journal.Journal,
        Effect.suspend(() => {
          builds += 1
          return builds === 1 ? Effect.fail(new Refused({ retryable: true })) : Effect.succeed({} as never)
        })
      )
      const lambda = KinesisLambda.make(scripted(), Layer.provideMerge(Journal.layerNone, flaky))
      const cold = yield* Effect.exit(Effect.tryPromise(() => lambda(eventOf(order("a1")), LambdaEvent.context())))
      assert.strictEqual(cold._tag, "Failure")
      yield* invoke(lambda, eventOf(order("a1")))
      yield* invoke(lambda, eventOf(order("a2")))
      assert.strictEqual(builds, 2)
    })
  )

  it.live("reports the first record when the journal fails, instead of throwing", () =>
    Effect.gen(function* () {
      const broken = Layer.succeed(Journal.Journal, {
        ...({} as Journal.Journal["Service"]),
        durable: true,
        open: () =>
          Effect.fail(
            new Journal.JournalError({
              operation: "open",
              reason: "Unavailable",
              message: "disk full",
              retryable: true
            })
          )
      })
      const lambda = KinesisLambda.make(scripted(), broken)
      assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(order("a1"), order("b1")))), [sequence(0)])
    })
  )

  it.live("writes telemetry out before it answers", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const reader = WorkerEvent.layer(
        Effect.succeed({
          onEvent: (event: WorkerEvent.WorkerEvent) => void log.push(event._tag),
          flush: Effect.sync(() => void log.push("flushed"))
        })
      )
      const lambda = KinesisLambda.make(scripted(), Layer.merge(Journal.layerNone, reader))
      yield* invoke(lambda, eventOf(order("a1")))
      log.push("answered")
      assert.deepStrictEqual(log, ["BatchFinished", "flushed", "answered"])
    })
  )
})

TransportSuite.suite(
  "Lambda behind the event source mapping",
  (worker, layer, records) =>
    Effect.gen(function* () {
      const { endpoint } = yield* EmbeddedKinesis.EmbeddedKinesis
      const lambda = KinesisLambda.make(worker, layer)
      yield* Effect.addFinalizer(() => Effect.promise(() => lambda.close()))
      yield* Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        yield* client.putRecords(
          "suite",
          records.map(({ bytes, key }) => ({ partitionKey: key, data: bytes }))
        )
        const mapping = yield* EventSourceMapping.make({
          stream: "suite",
          handler: lambda,
          maximumBatchingWindow: 0,
          maximumRetryAttempts: 3,
          pollInterval: "250 millis",
          backoff: () => "10 millis",
          onFailure: () => Effect.void
        })
        yield* mapping.drained
      }).pipe(Effect.provide(KinesisClient.layer({ endpoint })))
    }).pipe(Effect.scoped, Effect.provide(EmbeddedKinesis.layer({ streams: [{ name: "suite", shards: 2 }] }))),
  KinesisLambda.promises,
  { timeout: 20_000, faults: true }
)
