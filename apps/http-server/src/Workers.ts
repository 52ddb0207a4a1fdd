/** One process a core, through node:cluster: the processes share the port and end together. */
import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { availableParallelism } from "node:os"

import * as Config from "effect/Config"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A process ended before it served. What it said stands in the log above. */
export class WorkersError extends Schema.TaggedError<WorkersError>()("WorkersError", {
  reason: Schema.Literal("NeverListened"),
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/** `WORKERS`; by default one a core. */
export const count: Config.Config<number> = Config.schema(
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 256 })),
  "WORKERS"
).pipe(Config.withDefault(availableParallelism()))

/** Runs a program in `WORKERS` processes; this process watches over them, or is the only one. */
export const run = <A, E, R>(
  program: Effect.Effect<A, E, R>
): Effect.Effect<unknown, E | WorkersError | Config.ConfigError, R> =>
  Effect.flatMap(count, (workers): Effect.Effect<unknown, E | WorkersError, R> =>
    cluster.isWorker || workers === 1 ? program : watch(workers)
  )

// The first alone: a wrong setting is then said once, and a snapshot it writes spares the others their training.
const watch = (workers: number): Effect.Effect<never, WorkersError> =>
  Effect.gen(function* () {
    const listening = yield* Deferred.make<void>()
    const others = Effect.andThen(
      Deferred.await(listening),
      Effect.forEach(
        Array.from({ length: workers - 1 }, () => Effect.void),
        () => keep(Effect.void),
        { concurrency: "unbounded" }
      )
    )
    yield* Effect.all([keep(Deferred.succeed(listening, undefined)), others], { concurrency: "unbounded" })
    return yield* Effect.never
  })

const keep = (onListening: Effect.Effect<unknown>): Effect.Effect<never, WorkersError> =>
  Effect.gen(function* () {
    const { how, listened } = yield* Effect.acquireUseRelease(
      Effect.sync(() => cluster.fork()),
      (worker) => ended(worker, onListening),
      stop
    )
    if (!listened) {
      return yield* new WorkersError({
        reason: "NeverListened",
        message: `a worker process ended with ${how} before it served`,
        retryable: false
      })
    }
    yield* Effect.logError(`a worker process ended with ${how}; another one takes its place`)
    yield* Effect.sleep("1 second")
    return yield* keep(Effect.void)
  })

interface Ended {
  /** Its exit code, or the signal that killed it. */
  readonly how: string
  readonly listened: boolean
}

const ended = (worker: Worker, onListening: Effect.Effect<unknown>): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    let listened = false
    worker.once("listening", () => {
      listened = true
      Effect.runFork(onListening)
    })
    worker.once("exit", (code: number | null, signal: string | null) =>
      resume(Effect.succeed({ how: signal ?? `code ${code}`, listened }))
    )
  })

const stop = (worker: Worker): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (worker.isDead()) return resume(Effect.void)
    worker.once("exit", () => resume(Effect.void))
    worker.process.kill("SIGTERM")
  })
