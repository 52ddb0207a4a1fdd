/** How the program ends: in one line where a setting is wrong, and with 0 where it was asked to. */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as EffectExit from "effect/Exit"

import { WorkersError } from "./Workers.ts"

/** Says why the program can't go on. What `isPlain` knows is an end that its own message explains. */
export const explain = (
  cause: Cause.Cause<unknown>,
  isPlain: (error: unknown) => error is Error = isWorkersError
): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  if (error instanceof Config.ConfigError)
    return Console.error(`configuration: ${error.message.replaceAll(/\s+/g, " ")}`)
  return isPlain(error) ? Console.error(error.message) : Effect.logFatal("the service can't run", cause)
}

const isWorkersError = (error: unknown): error is WorkersError => error instanceof WorkersError

/** 0 after a signal, 1 after a failure. */
export const code = <E, A>(exit: EffectExit.Exit<A, E>, onExit: (code: number) => void): void =>
  onExit(EffectExit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)
