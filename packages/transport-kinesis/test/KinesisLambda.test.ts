import { assert, describe, it } from "@effect/vitest"
import * as Background from "@leat/core/Background"
import * as DeadLetterSink from "@leat/core/DeadLetterSink"
import * as Deadline from "@leat/core/Deadline"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import * as Lanes from "@leat/core/Lanes"
import { TransportSuite } from "@leat/core/testing"
import * as Worker from "@leat/core/Worker"
import * as WorkerEvent from "@leat/core/WorkerEvent"
import * as Aggregation from "@leat/transport-kinesis/Aggregation"
import * as EventSourceMapping from "@leat/transport-kinesis/EventSourceMapping"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as Wire from "./aggregationWire.ts"

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
        if (does === "die") yield* Effect.die(new Error("a bug"))
        if (does === "interrupt") yield* Effect.interrupt
        handled.push(id)
      }
    }
  })

/** Fails on some ids, as long as they are in the set. */
const stubborn = (failing: ReadonlySet<string>, handled: Array<string>) =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ id }) {
        if (failing.has(id)) yield* new Refused({ retryable: true })
        handled.push(id)
      }
    }
  })

/** Sequence numbers as Kinesis gives them: 56 digits, which no JavaScript number can tell apart. */
const sequence = (index: number) => `495903382714902566085596925383615710959215759891365${String(1000 + index)}`

const eventOf = (...bodies: ReadonlyArray<string | Uint8Array>) =>
  LambdaEvent.make(...bodies.map((data, index) => ({ data, sequenceNumber: sequence(index) })))

/** The partition key of a user record is the first letter of its id, as `order` has it. */
const aggregateOf = (...bodies: ReadonlyArray<string>) =>
  Aggregation.make(
    bodies.map((body) => ({ partitionKey: /"user":"(.)"/.exec(body)?.[1] ?? "x", data: Buffer.from(body) }))
  )

const reported = (response: LambdaEvent.LambdaResponse) => response.batchItemFailures.map((item) => item.itemIdentifier)

const invoke = (
  lambda: KinesisLambda.KinesisLambda,
  event: unknown,
  options: Parameters<typeof LambdaEvent.context>[0] = {}
) => Effect.promise(() => lambda(event as LambdaEvent.LambdaEvent, LambdaEvent.context(options)))

const rejection = (lambda: KinesisLambda.KinesisLambda, event: LambdaEvent.LambdaEvent) =>
  Effect.promise(() =>
    lambda(event, LambdaEvent.context()).then(
      () => undefined,
      (error: unknown) => error
    )
  )

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

  it.live("T69, T70: reports only the lowest number that is not settled, compared as an integer", () =>
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

  it.live("T77: tells numbers apart that are one as JavaScript numbers", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      const event = LambdaEvent.make(
        { data: order("a1", "refuse"), sequenceNumber: "9007199254740993" },
        { data: order("b1", "refuse"), sequenceNumber: "9007199254740992" }
      )
      assert.deepStrictEqual(reported(yield* invoke(lambda, event)), ["9007199254740992"])
    })
  )

  it.live("T69: a key that failed holds its own records back, and the others go on", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      const event = eventOf(order("a1"), order("b1", "refuse"), order("a2"), order("b2"), order("c1"))
      assert.deepStrictEqual(reported(yield* invoke(lambda, event)), [sequence(1)])
      assert.deepStrictEqual(handled, ["a1", "a2", "c1"])
    })
  )

  it.live("T71: reports a batch of which everything failed, and throws nothing", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      const batches = [[order("a1", "refuse")], [order("a1", "refuse"), order("b1", "refuse")], [order("a1", "die")]]
      for (const batch of batches) {
        assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(...batch))), [sequence(0)])
      }
    })
  )

  it.live("T72: reports a record whose handler dies or is interrupted, and settles the others", () =>
    Effect.gen(function* () {
      for (const does of ["die", "interrupt"]) {
        const handled: Array<string> = []
        const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
        const response = yield* invoke(lambda, eventOf(order("a1"), order("b1", does), order("c1")))
        assert.deepStrictEqual(reported(response), [sequence(1)], does)
        assert.deepStrictEqual(handled, ["a1", "c1"], does)
      }
    })
  )

  it.live("T75: does nothing for what was settled behind a failed record and comes again", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const failing = new Set(["b1"])
      const lambda = KinesisLambda.make(stubborn(failing, handled), Journal.layerMemory)
      const event = eventOf(order("a1"), order("b1"), order("c1"))
      assert.deepStrictEqual(reported(yield* invoke(lambda, event)), [sequence(1)])
      failing.clear()
      assert.deepStrictEqual(reported(yield* invoke(lambda, { Records: event.Records.slice(1) })), [])
      assert.deepStrictEqual(handled, ["a1", "c1", "b1"])
    })
  )

  it.live("T76: keeps the records of several streams apart, whose shards have the same names", () =>
    Effect.gen(function* () {
      const batches: Array<string> = []
      const reader = WorkerEvent.layer(
        Effect.succeed({
          onEvent: (event: WorkerEvent.WorkerEvent) => {
            if (event._tag !== "BatchFinished") return
            event.batch.forEach(({ partition }, index) =>
              batches.push(`${partition} ${event.result.outcomes[index]?._tag}`)
            )
          },
          flush: Effect.void
        })
      )
      const lambda = KinesisLambda.make(scripted(), Layer.merge(Journal.layerMemory, reader))
      const stream = "arn:aws:kinesis:us-east-1:000000000000:stream"
      for (const streamArn of [`${stream}/orders`, `${stream}/returns`, `${stream}/returns/consumer/shop:1`]) {
        const event = LambdaEvent.make({ data: "{nope", sequenceNumber: sequence(0), streamArn })
        assert.deepStrictEqual(reported(yield* invoke(lambda, event)), [])
      }
      const [one, other] = ["orders", "returns"].map((name) => ({
        data: "{nope",
        sequenceNumber: sequence(1),
        streamArn: `${stream}/${name}`
      }))
      assert.isDefined(one)
      assert.isDefined(other)
      yield* invoke(lambda, LambdaEvent.make(one, other))
      assert.deepStrictEqual(batches, [
        "orders/shardId-000000000000 Parked",
        "returns/shardId-000000000000 Parked",
        "returns/shardId-000000000000 Duplicate",
        "orders/shardId-000000000000 Parked",
        "returns/shardId-000000000000 Parked"
      ])
    })
  )

  it.live("T70: hands back what can't start before the function is killed", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      const response = yield* invoke(lambda, eventOf(order("a1")), { remaining: Deadline.reserve - 1 })
      assert.deepStrictEqual(reported(response), [sequence(0)])
      assert.deepStrictEqual(handled, [])
    })
  )

  it.live("T70: interrupts what is in flight half a second before the function is killed", () =>
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
      const aggregate = Wire.framed(Wire.partitionKey("a"))
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
          "an aggregate that can't be rea",
          "not JSON in UTF-8: Expected pr",
          "Expected string",
          "not JSON in UTF-8: Unexpected ",
          "Missing key",
          "`kinesis.data` is not base64",
          "`kinesis.data` is not a string"
        ]
      )
      assert.deepStrictEqual(letters[0]?.delivery.bytes, aggregate)
    })
  )

  it.live("without a sink reports the first record it can't read, for the mapping's on-failure destination", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      const response = yield* invoke(lambda, eventOf(order("a1"), "{nope", order("b1")))
      assert.deepStrictEqual(reported(response), [sequence(1)])
    })
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

  it.live("T68: names what is wrong with an event of another trigger, and fails the invocation", () =>
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

class Later extends Context.Service<Later, { readonly run: (work: Effect.Effect<unknown>) => void }>()(
  "@leat/transport-kinesis/test/KinesisLambda.test/Later"
) {}

describe("work that nobody waits for, behind Lambda", () => {
  const later = Layer.effect(
    Later,
    Effect.map(Background.scoped, (background) => ({
      run: (work: Effect.Effect<unknown>) => void background.run(work)
    }))
  )
  const worker = (work: Effect.Effect<unknown>) =>
    Worker.make("shop", {
      events: [Ordered],
      handle: {
        *Ordered() {
          const { run } = yield* Later
          run(work)
        }
      }
    })

  it.live("is done before the answer", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const work = Effect.andThen(
        Effect.sleep(30),
        Effect.sync(() => done.push("written"))
      )
      const lambda = KinesisLambda.make(worker(work), Layer.merge(later, Journal.layerNone))
      assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(order("a1")))), [])
      assert.deepStrictEqual(done, ["written"])
      yield* Effect.promise(() => lambda.close())
    })
  )

  it.live("is given up before the time runs out", () =>
    Effect.gen(function* () {
      let stopped = 0
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void stopped++))
      const lambda = KinesisLambda.make(worker(work), Layer.merge(later, Journal.layerNone))
      assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(order("a1")), { remaining: 900 })), [])
      assert.strictEqual(stopped, 1)
      yield* Effect.promise(() => lambda.close())
    })
  )
})

describe("an aggregate behind Lambda", () => {
  const aggregated = eventOf(
    order("a1"),
    aggregateOf(order("b1"), order("c1"), order("d1"), order("c2")),
    order("e1"),
    aggregateOf(order("f1"), order("g1"))
  )

  it.live("is settled with all of its records, each under its own partition key", () =>
    Effect.gen(function* () {
      const handled: Array<string> = []
      let mismatched = -1
      const reader = WorkerEvent.layer(
        Effect.succeed({
          onEvent: (event: WorkerEvent.WorkerEvent) => {
            if (event._tag === "BatchFinished") mismatched = event.mismatchedKeys
          },
          flush: Effect.void
        })
      )
      const lambda = KinesisLambda.make(scripted(handled), Layer.merge(Journal.layerNone, reader))
      const Records = aggregated.Records.filter((_, index) => index % 2 === 1)
      assert.deepStrictEqual(yield* invoke(lambda, { Records }), { batchItemFailures: [] })
      assert.deepStrictEqual(handled, ["b1", "c1", "d1", "c2", "f1", "g1"])
      assert.strictEqual(mismatched, 0)
    })
  )

  it.live(
    "T10: is reported by its own number when one of its records failed; those that are done are not done again",
    () =>
      Effect.gen(function* () {
        const handled: Array<string> = []
        const failing = new Set(["c1"])
        const lambda = KinesisLambda.make(stubborn(failing, handled), Journal.layerMemory)
        assert.deepStrictEqual(reported(yield* invoke(lambda, aggregated)), [sequence(1)])
        assert.deepStrictEqual(handled, ["a1", "b1", "d1", "e1", "f1", "g1"])
        const again = { Records: aggregated.Records.slice(1) }
        assert.deepStrictEqual(reported(yield* invoke(lambda, again)), [sequence(1)])
        failing.clear()
        assert.deepStrictEqual(reported(yield* invoke(lambda, again)), [])
        assert.deepStrictEqual(handled.slice(6), ["c1", "c2"])
      })
  )

  it.live("T10: is the lowest number that is not settled, also where a later record failed", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(stubborn(new Set(["g1", "e1"]), []), Journal.layerMemory)
      assert.deepStrictEqual(reported(yield* invoke(lambda, aggregated)), [sequence(2)])
      const second = KinesisLambda.make(stubborn(new Set(["g1"]), []), Journal.layerMemory)
      assert.deepStrictEqual(reported(yield* invoke(second, aggregated)), [sequence(3)])
    })
  )

  it.live("is poison as a whole when it heads its batch and one of its records can never succeed", () =>
    Effect.gen(function* () {
      const poisoned = aggregateOf(order("a1"), "{nope", order("b1"))
      const handled: Array<string> = []
      const lambda = KinesisLambda.make(scripted(handled), Journal.layerNone)
      const error = yield* rejection(lambda, eventOf(poisoned, order("c1")))
      assert.instanceOf(error, KinesisLambda.PoisonRecord)
      assert.strictEqual(error.sequenceNumber, sequence(0))
      assert.match(error.message, /not JSON/)
      assert.deepStrictEqual(handled, ["a1", "b1", "c1"])
      // Alone, or behind what Lambda can cut off, it is reported.
      assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(poisoned))), [sequence(0)])
      assert.deepStrictEqual(reported(yield* invoke(lambda, eventOf(order("c1"), poisoned))), [sequence(1)])
      const settledHead = eventOf(aggregateOf(order("a1"), order("b1")), "{nope", order("c1"))
      assert.deepStrictEqual(reported(yield* invoke(lambda, settledHead)), [sequence(1)])
    })
  )

  it.live("is no poison while its failed record may succeed later", () =>
    Effect.gen(function* () {
      const lambda = KinesisLambda.make(scripted(), Journal.layerNone)
      const event = eventOf(aggregateOf(order("a1"), order("b1", "refuse")), order("c1"))
      assert.deepStrictEqual(reported(yield* invoke(lambda, event)), [sequence(0)])
    })
  )

  it.live("T58: of several keys can't be read where the mapping handles keys side by side, by itself one can", () =>
    Effect.gen(function* () {
      const letters: Array<DeadLetterSink.DeadLetter> = []
      const handled: Array<string> = []
      const layer = Layer.merge(Journal.layerNone, DeadLetterSink.layerMemory(letters))
      const lambda = KinesisLambda.make(scripted(handled), layer, { parallelizationFactor: 2 })
      const event = LambdaEvent.make(
        { data: aggregateOf(order("a1"), order("b1")), partitionKey: "a" },
        { data: aggregateOf(order("c1"), order("c2")), partitionKey: "c" },
        { data: order("d1"), partitionKey: "d" }
      )
      assert.deepStrictEqual(reported(yield* invoke(lambda, event)), [])
      assert.deepStrictEqual(handled, ["c1", "c2", "d1"])
      assert.deepStrictEqual(
        letters.map(({ delivery, reason }) => [delivery.position, reason.includes("ParallelizationFactor above 1")]),
        [["1", true]]
      )
      yield* invoke(KinesisLambda.make(scripted(handled), layer, { parallelizationFactor: 1 }), event)
      assert.deepStrictEqual(handled.slice(3), ["a1", "b1", "c1", "c2", "d1"])
    })
  )

  it("T58: a factor that no mapping has is refused at once", () => {
    for (const parallelizationFactor of [0, 11, 1.5, Number.NaN]) {
      const make = () => KinesisLambda.make(scripted(), Journal.layerNone, { parallelizationFactor })
      assert.throws(make, KinesisLambda.KinesisLambdaError, `parallelizationFactor is ${parallelizationFactor}`)
    }
  })
})

/** Puts records on a stream and ends when the mapping has settled or given up all of them. */
const harness =
  (entriesOf: (records: ReadonlyArray<TransportSuite.Sent>) => ReadonlyArray<KinesisClient.Entry>) =>
  (worker: Worker.Worker<never>, layer: Layer.Layer<Journal.Journal>, records: ReadonlyArray<TransportSuite.Sent>) =>
    Effect.gen(function* () {
      const { endpoint } = yield* EmbeddedKinesis.EmbeddedKinesis
      const lambda = KinesisLambda.make(worker, layer)
      yield* Effect.addFinalizer(() => Effect.promise(() => lambda.close()))
      yield* Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        yield* client.putRecords("suite", entriesOf(records))
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
    }).pipe(Effect.scoped, Effect.provide(EmbeddedKinesis.layer({ streams: [{ name: "suite", shards: 2 }] })))

const plainEntries = (records: ReadonlyArray<TransportSuite.Sent>): ReadonlyArray<KinesisClient.Entry> =>
  records.map(({ bytes, key }) => ({ partitionKey: key, data: bytes }))

/** What follows one another on a key goes into one aggregate of that key, three records at most. */
const aggregatedEntries = (records: ReadonlyArray<TransportSuite.Sent>): ReadonlyArray<KinesisClient.Entry> =>
  [...Lanes.group(records, ({ key }) => key)].flatMap(([partitionKey, sent]) => {
    const users = sent.map(({ bytes }): Aggregation.UserRecord => ({ partitionKey, data: bytes }))
    const starts = Array.from({ length: Math.ceil(users.length / 3) }, (_, index) => index * 3)
    return starts.map((start) => ({ partitionKey, data: Aggregation.make(users.slice(start, start + 3)) }))
  })

TransportSuite.suite("Lambda behind the event source mapping", harness(plainEntries), KinesisLambda.promises, {
  timeout: 20_000,
  faults: true
})

TransportSuite.suite(
  "Lambda behind the event source mapping, on aggregates",
  harness(aggregatedEntries),
  KinesisLambda.promises,
  { timeout: 20_000 }
)
