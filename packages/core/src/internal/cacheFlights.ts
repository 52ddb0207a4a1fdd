import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** One run for everybody who asks for the same name while it lasts. */
export interface Flight {
  readonly name: string
  /** False once its name was forgotten: what it brings may be of before. */
  readonly valid: boolean
}

class Running<A, E> implements Flight {
  readonly name: string
  valid = true
  readonly landed = Deferred.makeUnsafe<A, E>()
  waiting = 1
  fiber: Fiber.Fiber<A, E> | undefined

  constructor(name: string) {
    this.name = name
  }
}

/** Runs in flight, by name. The last who waits and is interrupted stops the run. */
export class CacheFlights<A, E> {
  readonly running = new Map<string, Running<A, E>>()
  joined = 0

  join<R>(name: string, run: (flight: Flight) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.contextWith((context: Context.Context<R>) =>
        Effect.sync(() => this.enter(name, (flight) => Effect.runForkWith(context)(run(flight))))
      ),
      (flight) => Deferred.await(flight.landed),
      (flight) => this.leave(flight)
    )
  }

  /** Whoever waits goes on waiting; whoever comes after starts anew. */
  forget(name: string): void {
    const flight = this.running.get(name)
    if (flight === undefined) return
    flight.valid = false
    this.running.delete(name)
  }

  /**
   * In the map before it starts: what starts may wake another fiber before it returns, and that one must find the flight.
   */
  enter(name: string, start: (flight: Flight) => Fiber.Fiber<A, E>): Running<A, E> {
    const other = this.running.get(name)
    if (other !== undefined) {
      this.joined++
      other.waiting++
      return other
    }
    const flight = new Running<A, E>(name)
    this.running.set(name, flight)
    flight.fiber = start(flight)
    flight.fiber.addObserver((exit) => {
      this.land(flight)
      Deferred.doneUnsafe(flight.landed, exit)
    })
    return flight
  }

  leave(flight: Running<A, E>): Effect.Effect<void> {
    flight.waiting--
    if (flight.waiting > 0 || flight.fiber === undefined || flight.fiber.pollUnsafe() !== undefined) return Effect.void
    // First out of the map: who comes while it is being stopped must not join it.
    this.land(flight)
    return Fiber.interrupt(flight.fiber)
  }

  land(flight: Running<A, E>): void {
    if (this.running.get(flight.name) === flight) this.running.delete(flight.name)
  }
}
