/**
 * Given / when / then over a worker: its tests as sentences of the domain.
 *
 * **Guarantees.** Nothing is mocked: events go through the worker's own codec, kernel and a journal, as behind a transport.
 * Time is a `TestClock`'s. What the worker needs of services stays in the type, so a scenario is an effect for any test
 * runner. One that fails says which sentence did not hold, what was expected beside what was, and the story up to there.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import * as Codec from "../Codec.ts"
import * as DeadLetters from "../DeadLetters.ts"
import * as Envelope from "../Envelope.ts"
import type * as Event from "../Event.ts"
import * as Journal from "../Journal.ts"
import * as Outbox from "../Outbox.ts"
import type { Outcome } from "../Outcome.ts"
import type { Projection } from "../Projection.ts"
import { Publisher } from "../Publisher.ts"
import type { Worker } from "../Worker.ts"
import * as deliver from "./spec/deliver.ts"
import * as expect from "./spec/expect.ts"
import { namesOf } from "./spec/Input.ts"
import type { Input, Raw } from "./spec/Input.ts"
import { eventLine, told } from "./spec/report.ts"
import type { Step, Story } from "./spec/Story.ts"

export type {
  /**
   * What may arrive: an event as `Event.make` gives it, an {@link envelope} or {@link bytes}.
   *
   * @category models
   * @since 0.1.0
   */
  Input
} from "./spec/Input.ts"
export type {
  /**
   * One sentence of a scenario. A test may have steps of its own.
   *
   * @category models
   * @since 0.1.0
   */
  Step
} from "./spec/Story.ts"

/**
 * A sentence of a scenario did not hold.
 *
 * @category errors
 * @since 0.1.0
 */
export class SpecFailed extends Schema.TaggedError<SpecFailed>()("SpecFailed", {
  /** The sentence. */
  step: Schema.String,
  /** The sentence, what is wrong, and the story up to there. */
  message: Schema.String
}) {}

type Services<S> = S extends Step<infer R> ? R : never

/**
 * A story about a worker, sentence by sentence; fails at the first that does not hold.
 *
 * **Details**
 *
 * The journal is a fresh one in memory: see {@link scenarioWith} for others. What handlers need is provided as to any effect.
 * Sentences may come in any order and number: after a `then`, the story goes on with the next `when`.
 *
 * **Example** (An order that fails holds its key back, until the code is mended)
 *
 * ```ts
 * import * as Event from "@leat/core/Event"
 * import * as Spec from "@leat/core/testing/Spec"
 * import * as Worker from "@leat/core/Worker"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Ordered = Event.make("Ordered", {
 *   payload: Schema.Struct({ user: Schema.String, film: Schema.String }),
 *   key: (order) => order.user,
 *   id: (order) => `${order.user}-${order.film}`
 * })
 * const Shipped = Event.make("Shipped", {
 *   payload: Schema.Struct({ film: Schema.String }),
 *   key: (shipped) => shipped.film,
 *   id: (shipped) => shipped.film
 * })
 * const shopWith = (films: ReadonlyArray<string>) =>
 *   Worker.make("shop", {
 *     events: [Ordered],
 *     handle: {
 *       *Ordered({ film }) {
 *         if (!films.includes(film)) yield* Effect.fail(`nobody has ${film}`)
 *         return Shipped.make({ film })
 *       }
 *     }
 *   })
 * const heat = Ordered.make({ user: "ann", film: "Heat" })
 * const ran = Ordered.make({ user: "ann", film: "Ran" })
 * const shopping = Spec.scenario(
 *   shopWith(["Ran"]),
 *   Spec.given(Ordered.make({ user: "bob", film: "Ran" })),
 *   Spec.when(heat, ran),
 *   Spec.thenOutcomes("Parked: nobody has Heat", "Parked"),
 *   Spec.thenParked("ann", heat, ran),
 *   Spec.whenDeployed(shopWith(["Heat", "Ran"])),
 *   Spec.whenRedriven("ann"),
 *   Spec.thenEmitted(Shipped.make({ film: "Heat" }), Shipped.make({ film: "Ran" })),
 *   Spec.thenNothingParked()
 * )
 *
 * await Effect.runPromise(shopping) // => undefined
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const scenario = <R, const Steps extends ReadonlyArray<Step<unknown>>>(
  worker: Worker<R>,
  ...steps: Steps
): Effect.Effect<void, SpecFailed, Exclude<R | Services<Steps[number]>, Journal.Journal>> =>
  scenarioWith<R, Steps>({}, worker, ...steps)

/**
 * As {@link scenario}, with options: on a journal of the caller's, one with inline projections, SQLite, a journal that fails.
 *
 * **Gotchas**
 *
 * It must know nothing of a worker of this name yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scenarioWith = <R, const Steps extends ReadonlyArray<Step<unknown>>, E = never, RJ = never>(
  options: {
    /** Default: a fresh one in memory. */
    readonly journal?: Layer.Layer<Journal.Journal, E, RJ> | undefined
    /** Real time after which a batch that is not done fails the scenario. Default 3 s. */
    readonly patience?: Duration.Input | undefined
  },
  worker: Worker<R>,
  ...steps: Steps
): Effect.Effect<void, SpecFailed | E, Exclude<R | Services<Steps[number]>, Journal.Journal> | RJ> => {
  // What steps and handlers need is named above; a story forgets it.
  const story = tell(
    worker as unknown as Worker<never>,
    steps as unknown as ReadonlyArray<Step>,
    options.patience ?? "3 seconds"
  )
  return underTestClock(Effect.provide(story, Layer.fresh(options.journal ?? Journal.layerMemory)))
}

/** The runner's own where there is one: the test's layers were built on it. */
const underTestClock = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.clockWith(Effect.succeed), (clock) =>
    "adjust" in clock ? self : Effect.provide(self, TestClock.layer())
  )

const tell = Effect.fnUntraced(function* (worker: Worker<never>, steps: ReadonlyArray<Step>, patience: Duration.Input) {
  const story = yield* begin(worker, patience)
  const publisher = recording(story, yield* Publisher)
  const sentences: Array<string> = []
  for (const step of steps) {
    sentences.push(step.says(story))
    yield* Effect.provideService(take(story, step, sentences), Publisher, publisher)
  }
})

const take = (story: Story, step: Step, sentences: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const begins = sentences.at(-1)?.startsWith("when") === true
    if (begins) story.before = yield* expect.position(story.worker.name, story.before)
    return yield* step.run(story)
  }).pipe(
    (self) => orFail(sentences, self),
    Effect.flatMap((fault) => (fault === undefined ? Effect.void : failed(sentences, fault)))
  )

const begin = Effect.fnUntraced(function* (worker: Worker<never>, patience: Duration.Input) {
  const start = yield* orFail(["given a journal"], expect.position(worker.name, 0))
  const codec = (yield* Codec.Wire) ?? worker.codec
  const story: Story = { worker, codec, published: [], patience, start, before: start, arrived: 0, last: undefined }
  return story
})

const orFail = <A, R>(sentences: ReadonlyArray<string>, self: Effect.Effect<A, Journal.JournalError, R>) =>
  Effect.catch(self, (error) => failed(sentences, `the journal failed: ${error.message}`))

const failed = (sentences: ReadonlyArray<string>, fault: string) => {
  const step = sentences.at(-1) ?? ""
  return Effect.fail(new SpecFailed({ step, message: `${step}\n\n${fault}\n\n${told(sentences)}\n` }))
}

/** The publisher in force, or one that accepts all; what was accepted is kept. */
const recording = (story: Story, publisher: Publisher | undefined): Publisher => ({
  publish: (envelopes) =>
    Effect.map(publisher?.publish(envelopes) ?? Effect.succeed(envelopes.map(() => Exit.void)), (answers) => {
      story.published.push(
        ...envelopes.filter((_, index) => answers[index] !== undefined && Exit.isSuccess(answers[index]))
      )
      return answers
    })
})

const step = <R = never>(says: string | ((story: Story) => string), run: NoInfer<Step<R>["run"]>): Step<R> => ({
  says: typeof says === "string" ? () => says : says,
  run
})

const pure = (says: string, look: (story: Story) => string | undefined): Step =>
  step(says, (story) => Effect.sync(() => look(story)))

/**
 * Any bytes, as a broken or foreign sender may write them. It is named by `name`, default `bytes`, in what is reported.
 *
 * @category inputs
 * @since 0.1.0
 */
export const bytes = (
  body: Uint8Array | string,
  options: { readonly name?: string | undefined; readonly partitionKey?: string | undefined } = {}
): Input => ({ name: options.name ?? "bytes", bytes: body, partitionKey: options.partitionKey ?? "" }) satisfies Raw

/**
 * An event as yesterday's, tomorrow's or another program wrote it: its version, its id and its data are given, not made.
 *
 * @category inputs
 * @since 0.1.0
 */
export const envelope = (options: Pick<Envelope.Envelope, "type" | "data"> & Partial<Envelope.Envelope>): Input => {
  const made = Envelope.make(options)
  const version = options.version === undefined ? "" : ` v${made.version}`
  return {
    name: [`${made.type}${version}`, made.id].filter((part) => part !== undefined).join(" "),
    envelope: made,
    partitionKey: made.key ?? ""
  } satisfies Raw
}

/**
 * These events came before and were handled.
 *
 * @category given
 * @since 0.1.0
 */
export const given = (...events: ReadonlyArray<Input>): Step =>
  step(
    (story) => `given ${namesOf(story, events)}`,
    (story) =>
      Effect.map(
        deliver.deliver(story, events),
        (fault) =>
          fault ??
          expect.outcomes(
            story,
            events.map(() => "Handled")
          )
      )
  )

/**
 * These events failed for good before: the first of each key waits with the reason, the others behind it.
 *
 * @category given
 * @since 0.1.0
 */
export const givenParked = (reason: string, ...events: ReadonlyArray<Input>): Step =>
  step(
    (story) => `given ${namesOf(story, events)} parked: ${reason}`,
    (story) => deliver.park(story, reason, events)
  )

/**
 * These events arrive as one batch. Given an event that came before, it is the sender's duplicate.
 *
 * @category when
 * @since 0.1.0
 */
export const when = (...events: ReadonlyArray<Input>): Step =>
  step(
    (story) => `when ${namesOf(story, events)}`,
    (story) => deliver.deliver(story, events)
  )

/**
 * As {@link when}, and meanwhile time passes: for handlers that sleep, retry or run into a timeout.
 *
 * @category when
 * @since 0.1.0
 */
export const whenTaking = (duration: Duration.Input, ...events: ReadonlyArray<Input>): Step =>
  step(
    (story) => `when ${namesOf(story, events)}, taking ${span(duration)}`,
    (story) => deliver.deliver(story, events, duration)
  )

const span = (duration: Duration.Input) => Duration.format(Duration.fromInputUnsafe(duration))

/**
 * The last batch comes again, whole, as after an acknowledgement that was lost.
 *
 * @category when
 * @since 0.1.0
 */
export const whenRedelivered = (): Step => step("when the batch comes again", deliver.redeliver)

/**
 * These events arrive and the program dies. `before the commit`: the handlers ran, nothing is remembered. `after the commit`:
 * it is remembered, and neither acknowledged nor published. {@link whenRedelivered} is what a transport does next.
 *
 * @category when
 * @since 0.1.0
 */
export const whenCrashed = (at: deliver.Crash, ...events: ReadonlyArray<Input>): Step =>
  step(
    (story) => `when ${namesOf(story, events)}, and a crash ${at}`,
    (story) => deliver.crash(story, at, events)
  )

/**
 * These events arrive, and another process handles `by` after this one read the journal and before it writes.
 *
 * @category when
 * @since 0.1.0
 */
export const whenOvertaken = (by: ReadonlyArray<Input>, ...events: ReadonlyArray<Input>): Step =>
  step(
    (story) => `when ${namesOf(story, events)}, overtaken by another process with ${namesOf(story, by)}`,
    (story) => deliver.overtake(story, by, events)
  )

/**
 * Time passes, and nothing arrives.
 *
 * @category when
 * @since 0.1.0
 */
export const whenTimePasses = (duration: Duration.Input): Step =>
  step(`when ${span(duration)} passes`, () => Effect.as(TestClock.adjust(duration), undefined))

/**
 * From here on this code runs: a mended or newer version of the worker, of the same name.
 *
 * @category when
 * @since 0.1.0
 */
export const whenDeployed = <R>(worker: Worker<R>): Step<R> =>
  step<R>(`when another version is deployed`, (story) =>
    Effect.sync(() => {
      const before = story.worker.name
      // Its services are in this step's type.
      story.worker = worker as unknown as Worker<never>
      story.last = undefined
      return worker.name === before
        ? undefined
        : `it is called ${worker.name}, so the journal of ${before} isn't its own`
    })
  )

/**
 * What waits on a key runs again, with the code that is deployed.
 *
 * @category when
 * @since 0.1.0
 */
export const whenRedriven = (key: string): Step =>
  step(`when ${key} is redriven`, (story) =>
    Effect.map(DeadLetters.redrive(story.worker, key), (redriven) => {
      story.last = { batch: [], redriven }
      return undefined
    })
  )

/**
 * What waits on a key, or the events of these ids, is given up for a reason.
 *
 * @category when
 * @since 0.1.0
 */
export const whenDiscarded = (key: string, reason: string, ...ids: ReadonlyArray<string>): Step =>
  step(`when ${ids.length === 0 ? `all of ${key}` : `${ids.join(", ")} of ${key}`} is discarded: ${reason}`, (story) =>
    Effect.gen(function* () {
      const letters = yield* DeadLetters.inspect(story.worker.name, key, { limit: 1_000 })
      const chosen = letters.filter(({ id }) => ids.length === 0 || ids.includes(id))
      story.last = { batch: [] }
      if (chosen.length < Math.max(1, ids.length))
        return `only these wait on ${key}: ${letters.map(({ id }) => id).join(", ") || "none"}`
      const positions = chosen.map(({ position }) => position)
      return yield* DeadLetters.discard(story.worker.name, key, { reason, positions }).pipe(
        Effect.as(undefined),
        Effect.catchTag("NotParked", ({ message }) => Effect.succeed(message))
      )
    })
  )

/**
 * A relay looks for events that are committed and not published: after a crash it may have them when {@link Journal.outboxHold}
 * has passed.
 *
 * @category when
 * @since 0.1.0
 */
export const whenRelayed = (): Step =>
  step("when the outbox is relayed", (story) => Effect.as(Outbox.relay(story.worker), undefined))

/**
 * The name of an outcome; where it has a reason, a part of that may follow: `"Parked: nobody has Heat"`.
 *
 * @category models
 * @since 0.1.0
 */
export type OutcomeLine = Outcome["_tag"] | `${"Skipped" | "Parked" | "Failed"}: ${string}`

/**
 * These became of the events of the last batch, one for each.
 *
 * @category then
 * @since 0.1.0
 */
export const thenOutcomes = (...outcomes: ReadonlyArray<OutcomeLine>): Step =>
  pure(`then the outcomes are ${outcomes.join(", ") || "none"}`, (story) => expect.outcomes(story, outcomes))

/**
 * A transport may acknowledge so many events of the last batch, from its beginning.
 *
 * @category then
 * @since 0.1.0
 */
export const thenSettled = (count: number): Step =>
  pure(`then ${count} may be acknowledged`, (story) => expect.settled(story, count))

/**
 * The last `when` emitted exactly these events, in order. Payloads are compared in their JSON form.
 *
 * @category then
 * @since 0.1.0
 */
export const thenEmitted = (...events: ReadonlyArray<Event.Emitted>): Step =>
  step(`then it emitted ${listed(events)}`, (story) =>
    Effect.map(expect.emitted(story), (was) => expect.events(events, was))
  )

/**
 * The publisher accepted exactly these events since the beginning, in order.
 *
 * @category then
 * @since 0.1.0
 */
export const thenPublished = (...events: ReadonlyArray<Event.Emitted>): Step =>
  pure(`then it has published ${listed(events)}`, (story) => expect.events(events, story.published))

const listed = (events: ReadonlyArray<Event.Emitted>) => events.map(eventLine).join(", ") || "nothing"

/**
 * Exactly these events wait on a key, in order: events, or their ids.
 *
 * @category then
 * @since 0.1.0
 */
export const thenParked = (key: string, ...events: ReadonlyArray<Event.Emitted | string>): Step =>
  step(
    (story) => `then ${idsOf(story, events)} ${events.length === 1 ? "waits" : "wait"} parked on ${key}`,
    (story) => expect.parked(story, key, events)
  )

const idsOf = (story: Story, events: ReadonlyArray<Event.Emitted | string>) =>
  events.map((event) => (typeof event === "string" ? event : namesOf(story, [event]))).join(", ") || "nothing"

/**
 * No event waits on any key.
 *
 * @category then
 * @since 0.1.0
 */
export const thenNothingParked = (): Step => step("then nothing waits parked", expect.nothingParked)

/**
 * The last redrive settled so many events; and, where it stopped before the end, why: a part of the reason.
 *
 * @category then
 * @since 0.1.0
 */
export const thenRedriven = (settled: number, stopped?: string): Step =>
  pure(`then the redrive settled ${settled}${stopped === undefined ? "" : ` and stopped: ${stopped}`}`, ({ last }) => {
    const redriven = last?.redriven
    if (redriven === undefined) return "this comes after `Spec.whenRedriven`"
    const why = redriven.stopped?.reason
    const holds = redriven.settled === settled && (stopped === undefined ? why === undefined : why?.includes(stopped))
    return holds === true
      ? undefined
      : `it settled ${redriven.settled}${why === undefined ? " and nothing is left" : ` and stopped: ${why}`}`
  })

/**
 * A projection has this state for a key, when all that is journaled is folded; `undefined`: none.
 *
 * @category then
 * @since 0.1.0
 */
export const thenState = <State>(projection: Projection<State>, key: string, state: NoInfer<State> | undefined): Step =>
  step(`then ${projection.name} of ${key} is as expected`, () => expect.state(projection, key, state))

/**
 * The worker journaled exactly these entries since the beginning, in order; what is left out of one may be anything.
 *
 * @category then
 * @since 0.1.0
 */
export const thenJournal = (...entries: ReadonlyArray<EntryLike>): Step =>
  step(`then the journal has ${entries.length} ${entries.length === 1 ? "entry" : "entries"}`, (story) =>
    expect.journal(story, entries)
  )

/**
 * What is said of an entry of the journal; what is left out may be anything.
 *
 * @category models
 * @since 0.1.0
 */
export type EntryLike = Omit<expect.EntryLike, "outcome"> & {
  readonly outcome?: "Handled" | "Skipped" | "Parked" | `${"Skipped" | "Parked"}: ${string}` | undefined
}

/**
 * Something of the test's own holds: what a service was asked, what lies in a file.
 *
 * @category then
 * @since 0.1.0
 */
export const thenThat = <R = never>(
  sentence: string,
  holds: (() => boolean) | Effect.Effect<boolean, never, R>
): Step<R> =>
  step<R>(`then ${sentence}`, () =>
    Effect.map(Effect.isEffect(holds) ? holds : Effect.sync(holds), (is) => (is ? undefined : "it does not hold"))
  )
