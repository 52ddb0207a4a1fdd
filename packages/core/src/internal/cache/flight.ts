import type * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"

import type { Cached } from "../../Cache.ts"
import type { Held, HeldValue } from "./held.ts"
import type { Load, Waiting } from "./loads.ts"

/** Called once, with what a read gives. */
export type Passenger<A, E> = (exit: Exit.Exit<Cached<A>, E>) => void

/** One read of a name, from the store to the origin if need be, for everybody who asks for it meanwhile. */
export class Flight<K, A, E, R> implements Waiting<K, A, E> {
  readonly key: K
  readonly name: string
  /** The services of who asked first. */
  readonly context: Context.Context<R>
  readonly began: number
  readonly passengers = new Set<Passenger<A, E>>()
  readonly onLoaded: (flight: Flight<K, A, E, R>, exit: Exit.Exit<A, E>, began: number) => void
  /** Past its time, but better than nothing. */
  stale: HeldValue<A> | undefined
  load: Load<K, A, E> | undefined
  /** What finds something to stand in. */
  fallback: Fiber.Fiber<unknown, unknown> | undefined
  landed = false

  constructor(
    { context, key, name }: Pick<Flight<K, A, E, R>, "key" | "name" | "context">,
    began: number,
    onLoaded: Flight<K, A, E, R>["onLoaded"]
  ) {
    this.key = key
    this.name = name
    this.context = context
    this.began = began
    this.onLoaded = onLoaded
  }

  get waiting(): this {
    return this
  }

  loaded(exit: Exit.Exit<A, E>, began: number): void {
    this.onLoaded(this, exit, began)
  }

  /** Takes the fresher of two stale values along. */
  take(held: Held<A, E> | undefined): void {
    if (held === undefined || held.negative) return
    if (this.stale === undefined || this.stale.freshUntil < held.freshUntil) this.stale = held
  }
}
