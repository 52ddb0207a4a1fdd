import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import type { HandlerError, Running } from "./BatchRun.ts"

/**
 * Runs a handler's generator in this turn, up to its first step that needs a fiber.
 *
 * Fast path: most handlers only read services and values that `prepare` fetched. An `Exit` is unwrapped and a service key
 * is read from the batch's context right here, so such a handler costs no fiber (`bench/`: about 1 µs a record instead of
 * 3 to 4). The first real effect hands the rest of the generator to a fiber, which goes on where this loop stopped; the
 * effect returned therefore runs once, and a retry must call the handler again.
 */
export const drive = (iterator: Iterator<unknown, unknown>, context: Context.Context<never>): Running => {
  let value: unknown
  try {
    while (true) {
      const step = iterator.next(value)
      if (step.done === true) return Exit.succeed(step.value)
      const yielded = step.value
      if (isSuccess(yielded)) {
        value = yielded.value
      } else if (isKey(yielded)) {
        value = Context.getUnsafe(context, yielded as Context.Key<never, unknown>)
      } else if (Exit.isExit(yielded)) {
        return yielded as Exit.Exit<never, HandlerError>
      } else {
        return resume(iterator, yielded as Running)
      }
    }
  } catch (defect) {
    return Exit.die(defect)
  }
}

// The prototype of all successes: comparing it costs a tenth of asking a value of any shape whether it has a member.
const successes: unknown = Object.getPrototypeOf(Exit.void)

// Handlers yield the same few service keys, and asking a class whether it is one costs more than reading the service.
let lastKey: unknown

const isKey = (value: unknown): boolean => {
  if (value === lastKey) return true
  if (!Context.isKey(value)) return false
  lastKey = value
  return true
}

/** Whether a value is a success; cheaper than `Exit.isSuccess(Exit.isExit(…))`, and asked for every record. */
export const isSuccess = (value: unknown): value is Exit.Success<unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === successes

const resume: (iterator: Iterator<unknown, unknown>, first: Running) => Running = Effect.fnUntraced(
  function* (iterator, first) {
    let value: unknown = yield* first
    while (true) {
      const step = iterator.next(value)
      if (step.done === true) return step.value
      value = yield* step.value as Running
    }
  }
)
