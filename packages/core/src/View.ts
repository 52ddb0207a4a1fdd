/**
 * The view of a projection: its states, kept beside the journal in the same store.
 *
 * **Guarantees.** Every entry is folded once, in commit order: the states and the position up to which they are folded are
 * written in one transaction, on the condition that nobody else moved it. *Inline*, that transaction is the commit's own:
 * who reads the view after a commit sees it. *Following*, the view is behind by as long as a follower needs. A rebuild
 * goes on beside the view that serves, and takes its place at once when it has caught up.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import { Journal } from "./Journal.ts"
import type { Entry, JournalError } from "./Journal.ts"
import * as Projection from "./Projection.ts"

/**
 * Names the view of one version of a projection.
 *
 * @category models
 * @since 0.1.0
 */
export interface ViewId {
  readonly name: string
  readonly version: number
  /** The worker whose entries are folded, and so are not pruned before; `undefined` for all. */
  readonly worker: string | undefined
}

/**
 * Where one generation of a view stands. A rebuild is a generation of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing {
  readonly generation: number
  /** Every entry up to this position is folded. */
  readonly position: number
}

/**
 * Keeps the states of projections beside the journal, in the same store.
 *
 * @category models
 * @since 0.1.0
 */
export interface ViewStore {
  /** The generation of the view that serves; one at position 0 is begun where there is none. */
  readonly stand: (view: ViewId) => Effect.Effect<Standing, JournalError>
  /** Begins a generation at position 0 beside the one that serves; one that was begun before and never served is dropped. */
  readonly begin: (view: ViewId) => Effect.Effect<Standing, JournalError>
  /** States of the generation, or of the one that serves. The state at `i` belongs to `keys[i]`. */
  readonly states: (
    view: ViewId,
    keys: ReadonlyArray<string>,
    generation?: number
  ) => Effect.Effect<ReadonlyArray<string | undefined>, JournalError>
  /** Writes states and moves the generation from where it stood, or does nothing and says `false`: somebody moved it. */
  readonly advance: (
    view: ViewId,
    from: Standing,
    to: number,
    rows: ReadonlyArray<Projection.Row>
  ) => Effect.Effect<boolean, JournalError>
  /** Lets a generation serve and removes the one that did; `false` where it was removed meanwhile. */
  readonly swap: (view: ViewId, generation: number) => Effect.Effect<boolean, JournalError>
  /** Removes the view with all generations: what it had not folded no longer holds back a pruning. */
  readonly drop: (view: ViewId) => Effect.Effect<void, JournalError>
}

/**
 * The state of a key in the view that serves.
 *
 * **Example** (A count of what was greeted)
 *
 * ```ts
 * import * as Delivery from "@leat/core/Delivery"
 * import * as Event from "@leat/core/Event"
 * import * as Journal from "@leat/core/Journal"
 * import * as Projection from "@leat/core/Projection"
 * import * as View from "@leat/core/View"
 * import * as Worker from "@leat/core/Worker"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import * as Schema from "effect/Schema"
 *
 * const name = Schema.Struct({ name: Schema.String, day: Schema.Int })
 * const Met = Event.make("Met", { payload: name, key: (met) => met.name, id: (met) => `${met.name}-${met.day}` })
 * const greeter = Worker.make("greeter", { events: [Met], handle: { Met: () => Effect.void } })
 * const visits = Projection.make("visits", {
 *   version: 1,
 *   worker: "greeter",
 *   state: Schema.Int,
 *   keys: (entry) => [entry.key],
 *   fold: (count) => (count ?? 0) + 1
 * })
 * const met = Delivery.ofEvent(Met, [
 *   { name: "ann", day: 1 },
 *   { name: "ann", day: 2 }
 * ])
 * const program = Effect.gen(function* () {
 *   yield* greeter.process(met)
 *   yield* View.catchUp(visits)
 *   return yield* View.get(visits, "ann")
 * })
 *
 * Option.getOrThrow(await Effect.runPromise(Effect.provide(program, Journal.layerMemory))) // => 2
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const get = <State>(
  projection: Projection.Projection<State>,
  key: string
): Effect.Effect<Option.Option<State>, JournalError, Journal> =>
  Effect.map(
    Effect.flatMap(Journal, ({ views }) => views.states(projection, [key])),
    ([text]) => (text === undefined ? Option.none() : Option.some(projection.decode(text)))
  )

/** Entries folded in one transaction. */
const pageSize = 500

/** Somebody else moved the view, or took its generation away: what this one holds of it is out of date. */
class Overtaken extends Schema.TaggedError<Overtaken>()("Overtaken", {}) {}

/**
 * Folds what the view lacks, up to now; gives where it then stands.
 *
 * @category combinators
 * @since 0.1.0
 */
export const catchUp = (projection: Projection.Any): Effect.Effect<Standing, JournalError, Journal> =>
  Effect.gen(function* () {
    const { views } = yield* Journal
    return yield* foldFrom(projection, yield* views.stand(projection))
  }).pipe(Effect.catchTag("Overtaken", () => catchUp(projection)))

/** Page by page, so that memory stays flat over any length. */
const foldFrom = (
  projection: Projection.Any,
  from: Standing
): Effect.Effect<Standing, JournalError | Overtaken, Journal> =>
  Effect.flatMap(Journal, (journal) =>
    Stream.runFoldEffect(
      Stream.grouped(journal.read(from.position, { worker: projection.worker }), pageSize),
      () => from,
      (standing, entries) => foldPage(projection, standing, entries)
    )
  )

/** Entries that follow on where the view stands; those before it are folded. */
const foldPage = (
  projection: Projection.Any,
  standing: Standing,
  entries: ReadonlyArray<Entry>
): Effect.Effect<Standing, JournalError | Overtaken, Journal> =>
  Effect.gen(function* () {
    const { views } = yield* Journal
    const missing = entries.filter((entry) => entry.position > standing.position)
    const last = missing.at(-1)
    if (last === undefined) return standing
    const keys = Projection.touched(projection, missing)
    const texts = yield* views.states(projection, keys, standing.generation)
    const rows = Projection.foldAll(
      projection,
      missing,
      keys.map((key, index) => [key, texts[index]])
    )
    const moved = yield* views.advance(projection, standing, last.position, rows)
    return moved ? { ...standing, position: last.position } : yield* new Overtaken()
  })

/**
 * Keeps a view up to date until it is interrupted: run it beside the program. Several may run: one folds, the others
 * find it done.
 *
 * @category combinators
 * @since 0.1.0
 */
export const follow = (projection: Projection.Any): Effect.Effect<never, JournalError, Journal> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    let standing = yield* catchUp(projection)
    yield* Stream.runForEachArray(journal.subscribe(standing.position, { worker: projection.worker }), (entries) =>
      foldPage(projection, standing, entries).pipe(
        // A rebuild may serve now that stands before these entries: what lies between is read again, not assumed.
        Effect.catchTag("Overtaken", () => catchUp(projection)),
        Effect.map((moved) => {
          standing = moved
        })
      )
    )
    return yield* Effect.never
  })

/**
 * Folds the journal anew beside the view that serves, and lets the new one serve when it has caught up: after a bug in the
 * fold was mended. Followers go on with the new one. Of two at once the later one serves.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rebuild = (projection: Projection.Any): Effect.Effect<Standing, JournalError, Journal> =>
  Effect.gen(function* () {
    const { views } = yield* Journal
    yield* views.stand(projection)
    let standing = yield* views.begin(projection)
    let before = -1
    // Until a pass finds nothing new: then what is missing is what a follower folds in a moment.
    while (standing.position !== before) {
      before = standing.position
      standing = yield* foldFrom(projection, standing)
    }
    yield* views.swap(projection, standing.generation)
  }).pipe(
    Effect.catchTag("Overtaken", () => Effect.void),
    Effect.andThen(catchUp(projection))
  )

/**
 * Keeps views up to date in the background of a program. A journal that fails is said in the log and tried again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (projections: ReadonlyArray<Projection.Any>): Layer.Layer<never, never, Journal> =>
  Layer.effectDiscard(
    Effect.forEach(
      projections,
      (projection) =>
        follow(projection).pipe(
          // A follower that ended would let its view stand still without a word.
          Effect.catchCause((cause) =>
            Effect.logWarning(`the view ${projection.name} is behind: ${Cause.pretty(cause)}`)
          ),
          Effect.andThen(Effect.sleep("1 second")),
          Effect.forever,
          Effect.forkScoped
        ),
      { discard: true }
    )
  )
