/** How the program ends: in one line where a setting is wrong, and with 0 where it was asked to. */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as EffectExit from "effect/Exit"
import * as HttpServerError from "effect/http/HttpServerError"

import { WorkersError } from "./Workers.ts"

/** Says why the program can't go on: in one line where this, or the program's own `plain`, knows one. */
export const explain = (
  cause: Cause.Cause<unknown>,
  plain: (error: unknown) => string | undefined = () => undefined
): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  const line = lineOf(error) ?? plain(error)
  return line === undefined ? Effect.logFatal("the service can't run", cause) : Console.error(line)
}

const lineOf = (error: unknown): string | undefined => {
  if (error instanceof Config.ConfigError) return `configuration: ${error.message.replaceAll(/\s+/g, " ")}`
  if (error instanceof WorkersError) return error.message
  return error instanceof HttpServerError.ServeError
    ? `configuration: the service can't listen (HOST, PORT): ${error.cause instanceof Error ? error.cause.message : ""}`
    : undefined
}

/** 0 after a signal, 1 after a failure. */
export const code = <E, A>(exit: EffectExit.Exit<A, E>, onExit: (code: number) => void): void =>
  onExit(EffectExit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)

/** 0 only where the program came to its own end: for one that has something to finish. */
export const codeOfEnd = <E, A>(exit: EffectExit.Exit<A, E>, onExit: (code: number) => void): void =>
  onExit(EffectExit.isFailure(exit) ? 1 : 0)
