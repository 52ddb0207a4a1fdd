/**
 * Pages that were read but not yet taken, bounded in records and bytes.
 *
 * **Guarantees.** What was read is given before the failure or the end that came after it. While as much as the bounds
 * say is waiting, nothing is asked for.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"

import type * as Fetcher from "../Fetcher.ts"
import * as Pace from "./Pace.ts"

/**
 * How much may be read ahead of who takes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  /** Default 10,000. */
  readonly records?: number | undefined
  /**
   * Default 4 MiB. Nothing is asked for while so much waits; what is asked for below it may bring a page of up to 10 MiB,
   * since `GetRecords` can't be limited in bytes.
   */
  readonly bytes?: number | undefined
}

/**
 * A stream over `read`, which is given the records that there is room for and answers `undefined` at the end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E>(
  bounds: Bounds | undefined,
  read: (room: number) => Effect.Effect<Fetcher.Page | undefined, E>
): Stream.Stream<Fetcher.Page, E> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const shelf = new Shelf<E>(bounds)
      yield* Effect.forkScoped(Effect.onExit(fill(shelf, read), (exit) => Effect.sync(() => shelf.close(exit))))
      return Stream.fromPull(Effect.succeed(take(shelf)))
    })
  )

const fill = Effect.fnUntraced(function* <E>(
  shelf: Shelf<E>,
  read: (room: number) => Effect.Effect<Fetcher.Page | undefined, E>
) {
  for (;;) {
    yield* shelf.hasRoom.await
    const page = yield* read(shelf.room)
    if (page === undefined) return
    shelf.put(page)
  }
})

const take = <E>(shelf: Shelf<E>): Effect.Effect<Arr.NonEmptyReadonlyArray<Fetcher.Page>, E | Cause.Done<void>> =>
  Effect.flatMap(shelf.hasSome.await, (): Effect.Effect<readonly [Fetcher.Page], E | Cause.Done<void>> => {
    const page = shelf.shift()
    if (page !== undefined) return Effect.succeed([page])
    const { end } = shelf
    return end !== undefined && Exit.isFailure(end) ? Effect.failCause(end.cause) : Cause.done()
  })

/** A page and what it weighs, which is not to be summed up twice. */
interface Shelved {
  readonly page: Fetcher.Page
  readonly bytes: number
}

class Shelf<E> {
  readonly hasRoom = Latch.makeUnsafe(true)
  readonly hasSome = Latch.makeUnsafe(false)
  readonly #bounds: { readonly records: number; readonly bytes: number }
  readonly #pages: Array<Shelved> = []
  #records = 0
  #bytes = 0
  #end: Exit.Exit<void, E> | undefined

  constructor(bounds: Bounds = {}) {
    this.#bounds = { records: bounds.records ?? 10_000, bytes: bounds.bytes ?? 4 * 1024 * 1024 }
  }

  get end(): Exit.Exit<void, E> | undefined {
    return this.#end
  }

  get room(): number {
    return this.#bounds.records - this.#records
  }

  put(page: Fetcher.Page): void {
    const last = this.#pages.at(-1)
    // An empty page only says how far behind the tip we are: only the newest word on that is kept, or a slow consumer
    // would find thousands of them.
    if (last !== undefined && page.records.length === 0) {
      const { millisBehindLatest } = page
      this.#pages[this.#pages.length - 1] = { ...last, page: { ...last.page, millisBehindLatest } }
    } else {
      const bytes = Pace.sizeOf(page.records)
      this.#pages.push({ page, bytes })
      this.#weigh(page.records.length, bytes)
    }
    this.hasSome.openUnsafe()
  }

  shift(): Fetcher.Page | undefined {
    const shelved = this.#pages.shift()
    if (shelved !== undefined) this.#weigh(-shelved.page.records.length, -shelved.bytes)
    if (this.#pages.length === 0 && this.#end === undefined) this.hasSome.closeUnsafe()
    return shelved?.page
  }

  close(end: Exit.Exit<void, E>): void {
    this.#end = end
    this.hasSome.openUnsafe()
  }

  #weigh(records: number, bytes: number): void {
    this.#records += records
    this.#bytes += bytes
    if (this.#records < this.#bounds.records && this.#bytes < this.#bounds.bytes) this.hasRoom.openUnsafe()
    else this.hasRoom.closeUnsafe()
  }
}
