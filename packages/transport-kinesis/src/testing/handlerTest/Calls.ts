/**
 * Writes down what a handler was called with and what it answered, and knows when it has nothing to do.
 *
 * @since 0.1.0
 */
import { setImmediate } from "node:timers/promises"

import type * as LambdaEvent from "../../LambdaEvent.ts"

/**
 * One call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly event: LambdaEvent.LambdaEvent & Partial<LambdaEvent.TimeWindow>
  /** The data of its records as UTF-8. */
  readonly data: ReadonlyArray<string>
  /** `Pending`: it did not answer before its timeout. */
  readonly outcome:
    | { readonly _tag: "Answered"; readonly answer: unknown }
    | { readonly _tag: "Threw"; readonly error: unknown }
    | { readonly _tag: "Pending" }
}

/**
 * A handler under watch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Calls {
  readonly handler: LambdaEvent.Handler
  readonly list: () => ReadonlyArray<Call>
  /** Waits until no call is open, or those that are open overran `timeout` real milliseconds. */
  readonly idle: (timeout: number) => Promise<void>
}

/**
 * Watches a handler.
 *
 * @category constructors
 * @since 0.1.0
 */
export const watch = (handler: LambdaEvent.Handler): Calls => {
  const calls: Array<Call> = []
  const open = new Set<Promise<void>>()
  const watched = async (call: LambdaEvent.Handler, event: LambdaEvent.LambdaEvent, rest: Rest): Promise<unknown> => {
    const index = calls.push({ event, data: event.Records.map(text), outcome: { _tag: "Pending" } }) - 1
    const settled = Promise.withResolvers<void>()
    open.add(settled.promise)
    const end = (outcome: Call["outcome"]) => {
      const begun = calls[index]
      if (begun !== undefined) calls[index] = { ...begun, outcome }
      open.delete(settled.promise)
      settled.resolve()
    }
    try {
      const answer = await answerOf(call, event, rest)
      end({ _tag: "Answered", answer })
      return answer
    } catch (error) {
      end({ _tag: "Threw", error })
      throw error
    }
  }
  return {
    handler: (event, context) => watched(handler, event, [context]),
    list: () => [...calls],
    idle: async (timeout) => {
      for (let turn = 0; turn < quiet; turn++) {
        if (open.size > 0) turn = 0
        await within(timeout, open)
        await setImmediate()
      }
    }
  }
}

type Rest = [context: LambdaEvent.LambdaContext]

/** Turns of the event loop without a call after which fibers have run as far as they can. */
const quiet = 4

const answerOf = (handler: LambdaEvent.Handler, event: LambdaEvent.LambdaEvent, [context]: Rest): unknown => {
  if (handler.length < 3) return handler(event, context)
  return new Promise((resolve, reject) => {
    const returned: unknown = handler(event, context, (error, answer) =>
      error === undefined || error === null ? resolve(answer) : reject(error)
    )
    if (returned instanceof Promise) returned.then(resolve, reject)
  })
}

const within = async (timeout: number, open: Set<Promise<void>>): Promise<void> => {
  if (open.size === 0) return
  const late = Promise.withResolvers<"late">()
  const timer = setTimeout(() => late.resolve("late"), timeout)
  const first = await Promise.race([Promise.all(open), late.promise])
  clearTimeout(timer)
  // What hangs is given up here, as the mapping gives it up when its clock says so.
  if (first === "late") open.clear()
}

const text = (record: LambdaEvent.LambdaRecord): string => Buffer.from(record.kinesis.data, "base64").toString("utf8")
