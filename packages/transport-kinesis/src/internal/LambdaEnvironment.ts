import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

/** Runs an effect with the environment's services. */
export type Run<R> = <A, E>(effect: Effect.Effect<A, E, R>) => Promise<A>

/** The layers of one execution environment. */
export interface LambdaEnvironment<R> {
  readonly get: () => Promise<Run<R>>
  readonly close: () => Promise<void>
}

/**
 * Builds the layers at once, in Lambda's init phase, and once. A failed build is not kept, as `ManagedRuntime` would: the
 * next invocation tries again, so one bad cold start does not poison the environment.
 */
export const make = <R, E>(layer: Layer.Layer<R, E>, started: Effect.Effect<void, never, R>): LambdaEnvironment<R> => {
  let scope: Scope.Closeable | undefined
  let built: Promise<Run<R>> | undefined

  const build = async (): Promise<Run<R>> => {
    const mine = Scope.makeUnsafe()
    scope = mine
    try {
      const services = await Effect.runPromise(Layer.buildWithScope(layer, mine))
      await Effect.runPromiseWith(services)(started)
      return Effect.runPromiseWith(services)
    } catch (error) {
      built = undefined
      await Effect.runPromise(Scope.close(mine, Exit.void))
      throw error
    }
  }

  const get = () => (built ??= build())
  // The first build's failure is the first invocation's to see, not an unhandled rejection of the init phase.
  get().catch(() => undefined)

  return {
    get,
    close: async () => {
      const closing = scope
      scope = undefined
      built = undefined
      if (closing !== undefined) await Effect.runPromise(Scope.close(closing, Exit.void))
    }
  }
}
