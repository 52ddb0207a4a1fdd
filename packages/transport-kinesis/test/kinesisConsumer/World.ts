import { assert } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as Worker from "@leat/core/Worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

import type { ShardAssignmentError } from "../../src/assignment/Cluster.ts"
import * as Solo from "../../src/assignment/Solo.ts"
import * as Checkpoint from "../../src/Checkpoint.ts"
import type * as ConsumerTelemetry from "../../src/ConsumerTelemetry.ts"
import type { Fetcher } from "../../src/Fetcher.ts"
import * as Polling from "../../src/fetcher/Polling.ts"
import * as KinesisConsumer from "../../src/KinesisConsumer.ts"
import type { ConsumerEvent } from "../../src/kinesisConsumer/ConsumerEvent.ts"
import type { ShardAssignment } from "../../src/ShardAssignment.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"

/** The event of these tests. */
export const Noted = Event.make("Noted", {
  payload: Schema.Struct({ key: Schema.String, id: Schema.String }),
  key: (payload) => payload.key,
  id: (payload) => payload.id
})

/** The first letter of an id is its key. */
export const noted = (id: string, partitionKey = id.slice(0, 1)): FakeKinesis.Given => ({
  data: JSON.stringify({ key: id.slice(0, 1), id }),
  partitionKey
})

/** A worker that remembers what it handled; `before` may fail, wait or die for an id. */
export const recorder = <E extends { readonly retryable: boolean }>(
  before: (id: string, tries: number) => Effect.Effect<void, E> = () => Effect.void
) => {
  const handled: Array<string> = []
  const tries: Array<string> = []
  const worker = Worker.make("recorder", {
    events: [Noted],
    handle: {
      *Noted({ id }) {
        tries.push(id)
        yield* before(id, tries.filter((one) => one === id).length)
        handled.push(id)
      }
    }
  })
  return { worker, handled, tries }
}

export class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

export const later = Effect.fail(new Refused({ retryable: true }))
export const never = Effect.fail(new Refused({ retryable: false }))

/** Everything around a consumer, to be shared by several. */
export interface World {
  readonly kinesis: FakeKinesis.FakeKinesis["Service"]
  readonly stream: ReturnType<FakeKinesis.FakeKinesis["Service"]["stream"]>
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly journal: Journal.Journal["Service"]
}

export const world = (
  options: { readonly shards?: number; readonly journal?: "none" | "memory" } & FakeKinesis.Options = {}
) =>
  Effect.gen(function* () {
    const { journal = "memory", shards = 1, ...rest } = options
    const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards }], ...rest })
    const services = yield* Layer.build(
      Layer.fresh(Layer.merge(Checkpoint.layerMemory, journal === "memory" ? Journal.layerMemory : Journal.layerNone))
    )
    const found: World = {
      kinesis,
      stream: kinesis.stream("s"),
      store: Context.get(services, Checkpoint.CheckpointStore),
      journal: Context.get(services, Journal.Journal)
    }
    return found
  })

/** A consumer that runs until `stop`; `events` are all that it told. */
export interface Running {
  readonly consumer: KinesisConsumer.KinesisConsumer
  readonly events: Array<ConsumerEvent>
  readonly stop: Effect.Effect<void>
  readonly told: <Tag extends ConsumerEvent["_tag"]>(
    tag: Tag
  ) => ReadonlyArray<Extract<ConsumerEvent, { readonly _tag: Tag }>>
}

export const start = (
  { journal, kinesis, store }: World,
  worker: Worker.Worker<never>,
  options: Partial<KinesisConsumer.Options> & {
    readonly store?: Checkpoint.CheckpointStore["Service"]
    readonly fetcher?: Layer.Layer<Fetcher>
    readonly assignment?: Layer.Layer<ShardAssignment, ShardAssignmentError>
    readonly around?: ReturnType<typeof ConsumerTelemetry.reporting>
  } = {}
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const events: Array<ConsumerEvent> = []
    const {
      around = identity,
      assignment = Solo.layer,
      fetcher = Layer.provide(Polling.layer(), kinesis.layer),
      store: given = store,
      ...rest
    } = options
    const layers = Layer.mergeAll(
      kinesis.layer,
      Layer.succeed(Checkpoint.CheckpointStore, given),
      Layer.succeed(Journal.Journal, journal),
      Layer.orDie(assignment),
      fetcher,
      Logger.layer([])
    )
    const onEvent = (event: ConsumerEvent) => void events.push(event)
    const services = yield* Layer.buildWithScope(layers, scope)
    const consumer = yield* around(
      KinesisConsumer.make(worker, { stream: "s", application: "test", onEvent, ...rest })
    ).pipe(Effect.provide(services), Scope.provide(scope))
    const running: Running = {
      consumer,
      events,
      stop: Scope.close(scope, Exit.void),
      told: (tag) =>
        events.filter((event): event is Extract<ConsumerEvent, { readonly _tag: typeof tag }> => event._tag === tag)
    }
    return running
  })

/** Lets time pass until it holds; a test that waits in vain fails with what it waited for. */
export const until = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let steps = 0; steps < 2_000 && !holds(); steps++) yield* TestClock.adjust("50 millis")
    assert.isTrue(holds(), `it never came to this: ${what}`)
  })

/** Whose rows they are. */
export const groupOf = ({ kinesis }: World) =>
  Effect.map(kinesis.client.describeStreamSummary("s"), ({ createdAt }) => ({
    application: "test",
    stream: `s@${createdAt}`
  }))

/** The rows of the consumer, without that of the start. */
export const rows = (place: World) =>
  Effect.gen(function* () {
    const found = yield* place.store.list(yield* groupOf(place))
    return new Map(found.filter(({ shardId }) => shardId !== "@start").map((row) => [row.shardId, row]))
  })
