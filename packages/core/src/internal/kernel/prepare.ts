import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"

import { Fetching } from "../../Fetching.ts"
import type { BatchRun, Work } from "./BatchRun.ts"

/** Milliseconds the gathered writes of a batch may take; they are effects that may be lost. */
const flushBound = 250

/** The context of this batch; `undefined` when the time ran out before anything could start. */
export const prepare = (
  run: BatchRun,
  live: ReadonlyArray<Work>,
  scope: Scope.Closeable
): Effect.Effect<Context.Context<never> | undefined> => {
  const { context } = run.environment
  if (run.definition.prepare === undefined) return Effect.succeed(context)
  const items =
    run.undecodable === 0 && !run.environment.journal.durable
      ? live
      : live.filter((work) => work.undecodable === undefined && !work.lane.parked)
  if (items.length === 0) return Effect.succeed(context)
  const prepared = run.definition.prepare(items).pipe(
    Effect.provideService(Scope.Scope, scope),
    Effect.map((services) => shadowed(context, services)),
    // What `prepare` couldn't fetch, handlers fetch; only its defect is told.
    Effect.catchCause((cause) =>
      Effect.sync(() => {
        run.tell({ _tag: "PrepareFailed", worker: run.definition.name, reason: Cause.pretty(cause) })
        return context
      })
    )
  )
  return Effect.map(run.untilStartBy(prepared), (found) => {
    const ready = Option.getOrUndefined(found)
    const fetching = ready === undefined ? undefined : Context.get(ready, Fetching)
    for (const place of fetching?.places ?? []) {
      const item = items[place]
      if (item !== undefined) item.fetching = true
    }
    return ready
  })
}

/** Closes the scope of `prepare`: gathered writes go out before the commit, bounded; a failure is only counted. */
export const flush = (run: BatchRun, scope: Scope.Closeable): Effect.Effect<void> => {
  // Nothing was gathered: nothing that could take time, so no timer, which is dearer than all the rest of a flush.
  if (scope.state._tag === "Empty") return Scope.close(scope, Exit.void)
  const failed = (reason: string) =>
    Effect.sync(() => run.tell({ _tag: "FlushFailed", worker: run.definition.name, reason }))
  return Scope.close(scope, Exit.void).pipe(
    Effect.timeoutOption(flushBound),
    Effect.flatMap(
      Option.match({ onNone: () => failed(`not done after ${flushBound} ms`), onSome: () => Effect.void })
    ),
    Effect.catchCause((cause) => failed(Cause.pretty(cause)))
  )
}

/**
 * `Context.merge` for a few services over many: it copies none of them, and handlers find the few first. It saves 2 µs a
 * batch of 100.
 */
const shadowed = (context: Context.Context<never>, services: Context.Context<never>): Context.Context<never> => {
  let extended = context
  for (const [key, service] of services.mapUnsafe) {
    extended = Context.add(extended, { key } as Context.Key<never, unknown>, service)
  }
  return extended
}
