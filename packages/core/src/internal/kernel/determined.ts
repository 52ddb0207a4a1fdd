import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/**
 * A context in which time stands and chance is a function of a seed: what a replay runs a handler in, so that it is the same
 * twice.
 */
export const determined = (context: Context.Context<never>, at: number, seed: string): Context.Context<never> =>
  Context.add(Context.add(context, Clock.Clock, new StandingClock(at)), Random.Random, random(seed))

/** Nothing waits in a replay: what slept then has slept. */
class StandingClock implements Clock.Clock {
  readonly at: number
  constructor(at: number) {
    this.at = at
  }
  currentTimeMillisUnsafe(): number {
    return this.at
  }
  currentTimeNanosUnsafe(): bigint {
    return BigInt(Math.trunc(this.at * 1_000)) * 1_000n
  }
  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }
  get currentTimeMillis(): Effect.Effect<number> {
    return Effect.succeed(this.at)
  }
  get currentTimeNanos(): Effect.Effect<bigint> {
    return Effect.succeed(this.currentTimeNanosUnsafe())
  }
  get monotonicTimeNanos(): Effect.Effect<bigint> {
    return Effect.succeed(this.monotonicTimeNanosUnsafe())
  }
  sleep(_duration: Duration.Duration): Effect.Effect<void> {
    return Effect.void
  }
}

type Generator = (typeof Random.Random)["Service"]

/**
 * Mulberry32 over an FNV-1a hash of the seed: 32 bits of state are plenty for the draws of one handler, and Effect's own
 * seeded generator costs 1,024 rounds before its first.
 *
 * @see http://www.isthe.com/chongo/tech/comp/fnv/ (FNV-1a)
 */
const random = (seed: string): Generator => {
  let state = 0x81_1c_9d_c5
  for (let index = 0; index < seed.length; index++) state = Math.imul(state ^ seed.charCodeAt(index), 0x01_00_01_93)
  const next = (): number => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    nextDoubleUnsafe: next,
    nextIntUnsafe: () =>
      Math.floor(next() * (Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1)) + Number.MIN_SAFE_INTEGER
  }
}
