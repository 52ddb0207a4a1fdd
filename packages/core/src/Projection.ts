/**
 * A projection is a fold over the journal: what its {@link "./View.ts"} shows can always be made again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type { Entry } from "./Journal.ts"

/**
 * A versioned fold over the journal, with one state a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Projection<in out State> {
  readonly name: string
  /** Another version is another view: it is folded from the beginning, and the old one serves until it is dropped. */
  readonly version: number
  /** The worker whose entries are folded; all workers where it is left out. */
  readonly worker: string | undefined
  /** Which states an entry changes; none where it says nothing to this view. */
  readonly keysOf: (entry: Entry) => ReadonlyArray<string>
  /** The state after the entry; `undefined` removes it. Must be pure. */
  readonly fold: (state: State | undefined, entry: Entry, key: string) => State | undefined
  readonly decode: (text: string) => State
  readonly encode: (state: State) => string
}

/**
 * Any projection.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the state is invariant: no other type stands for "some projection"
export type Any = Projection<any>

/**
 * A key and its state as text; `undefined` where it has none, or is to have none.
 *
 * @category models
 * @since 0.1.0
 */
export type Row = readonly [key: string, state: string | undefined]

/**
 * Projections that every commit of this program's journal folds in its own transaction; none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Inline: Context.Reference<ReadonlyArray<Any>> = Context.Reference<ReadonlyArray<Any>>(
  "@leat/core/Projection/Inline",
  { defaultValue: () => [] }
)

/**
 * Folds these projections inline: provide it to the layer of the journal.
 *
 * **Gotchas**
 *
 * A commit folds what other programs committed meanwhile, too, so a backlog is caught up first, when the journal is built.
 * On PostgreSQL commits wait for each other while they fold.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInline = (projections: ReadonlyArray<Any>): Layer.Layer<never> => Layer.succeed(Inline, projections)

/**
 * Defines a projection.
 *
 * **Example** (How often each event came)
 *
 * ```ts
 * import * as Projection from "@leat/core/Projection"
 * import * as Schema from "effect/Schema"
 *
 * const counts = Projection.make("counts", {
 *   version: 1,
 *   state: Schema.Struct({ seen: Schema.Int }),
 *   keys: (entry) => [entry.type],
 *   fold: (state) => ({ seen: (state?.seen ?? 0) + 1 })
 * })
 *
 * counts.name // => "counts"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <State, Encoded>(
  name: string,
  options: {
    readonly version: number
    /** Only entries of this worker. Default: of all. */
    readonly worker?: string | undefined
    readonly state: Schema.Codec<State, Encoded>
    readonly keys: (entry: Entry) => ReadonlyArray<string>
    readonly fold: (state: NoInfer<State> | undefined, entry: Entry, key: string) => NoInfer<State> | undefined
  }
): Projection<State> => {
  const codec = Schema.fromJsonString(Schema.toCodecJson(options.state))
  return {
    name,
    version: options.version,
    worker: options.worker,
    keysOf: options.keys,
    fold: options.fold,
    decode: Schema.decodeUnknownSync(codec),
    encode: Schema.encodeSync(codec)
  }
}

/**
 * Entries that this projection folds, of `entries`, and the keys of the states they change.
 *
 * @category getters
 * @since 0.1.0
 */
export const touched = (projection: Any, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const keys = new Set<string>()
  for (const entry of entries)
    if (concerns(projection, entry)) for (const key of projection.keysOf(entry)) keys.add(key)
  return [...keys]
}

/**
 * The states after `entries`, from the states before them: pure, and the same wherever a view is folded.
 *
 * @category combinators
 * @since 0.1.0
 */
export const foldAll = (
  projection: Any,
  entries: ReadonlyArray<Entry>,
  before: ReadonlyArray<Row>
): ReadonlyArray<Row> => {
  const states = new Map<string, unknown>(
    before.map(([key, text]) => [key, text === undefined ? undefined : projection.decode(text)])
  )
  const changed = new Set<string>()
  for (const entry of entries) {
    if (!concerns(projection, entry)) continue
    for (const key of projection.keysOf(entry)) {
      states.set(key, projection.fold(states.get(key), entry, key))
      changed.add(key)
    }
  }
  return Array.from(changed, (key) => {
    const state = states.get(key)
    return [key, state === undefined ? undefined : projection.encode(state)] as const
  })
}

const concerns = (projection: Any, entry: Entry): boolean =>
  projection.worker === undefined || projection.worker === entry.worker
