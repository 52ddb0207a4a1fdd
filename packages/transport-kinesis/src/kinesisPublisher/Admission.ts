/**
 * Who may put envelopes into the lanes: one call at a time, in the order of the calls, as far as there is room.
 *
 * **Guarantees.** What is waiting or in flight never exceeds the bounds, in envelopes and in bytes; one that is larger
 * than all of it goes in alone. Two calls with one key have its envelopes in the lane in the order of the calls.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

import type { Call } from "./Call.ts"

/**
 * What may be held.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  readonly envelopes: number
  readonly bytes: number
}

/**
 * The door to the lanes.
 *
 * @category models
 * @since 0.1.0
 */
export class Admission {
  readonly #bounds: Bounds
  readonly #queue: Array<Call> = []
  #envelopes = 0
  #bytes = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** What is held now. */
  get held(): Bounds {
    return { envelopes: this.#envelopes, bytes: this.#bytes }
  }

  enter(call: Call): void {
    this.#queue.push(call)
  }

  leave(call: Call): void {
    const place = this.#queue.indexOf(call)
    if (place !== -1) this.#queue.splice(place, 1)
    if (place === 0) this.#open(this.#queue[0])
  }

  /** Whether it is the call's turn, and an envelope of so many bytes has room. */
  isOpen(call: Call, bytes: number): boolean {
    if (this.#queue[0] !== call) return false
    return (
      this.#envelopes === 0 || (this.#envelopes < this.#bounds.envelopes && this.#bytes + bytes <= this.#bounds.bytes)
    )
  }

  /** Waits until that may have changed, or the call is over. */
  wait(call: Call, bytes: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (call.isDone || this.isOpen(call, bytes)) return Effect.void
      call.gate = Deferred.makeUnsafe()
      return Deferred.await(call.gate)
    })
  }

  hold(bytes: number): void {
    this.#envelopes++
    this.#bytes += bytes
  }

  free(envelopes: number, bytes: number): void {
    this.#envelopes -= envelopes
    this.#bytes -= bytes
    this.#open(this.#queue[0])
  }

  /** Lets a call look again. */
  look(call: Call): void {
    this.#open(call)
  }

  #open(call: Call | undefined): void {
    if (call?.gate === undefined) return
    const { gate } = call
    call.gate = undefined
    Deferred.doneUnsafe(gate, Effect.void)
  }
}
