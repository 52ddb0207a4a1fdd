/**
 * Which promises hold in a program as it is put together: what its start log says.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

import { DeadLetterSink } from "./DeadLetterSink.ts"
import { FailurePolicy } from "./FailurePolicy.ts"
import { Journal } from "./Journal.ts"
import { Publisher } from "./Publisher.ts"
import { HandlerRetry } from "./RetryPolicy.ts"

/**
 * The promises that hold under these services, one sentence each.
 *
 * @category getters
 * @since 0.1.0
 */
export const describe = (context: Context.Context<Journal>): ReadonlyArray<string> => {
  const { durable } = Context.get(context, Journal)
  const failure = Context.get(context, FailurePolicy)
  const { attempts } = Context.get(context, HandlerRetry)
  const sink = Context.get(context, DeadLetterSink)
  return [
    durable
      ? "journal: a redelivered event is not handled again, effectively once for outcomes and emitted ids"
      : "no journal: a redelivered event is handled again, at least once, and nothing is parked, redriven or replayed",
    durable || sink === undefined
      ? `permanent failures: ${durable ? failure.permanent : withoutJournal(failure.permanent)}`
      : "permanent failures and unreadable records: to the dead-letter sink",
    `transient failures: ${durable ? failure.transient : withoutJournal(failure.transient)}`,
    durable || sink !== undefined
      ? "unreadable records never block a partition"
      : "unreadable records are reported failed: the mapping needs an on-failure destination",
    publishing(durable, Context.get(context, Publisher) !== undefined),
    `at most ${attempts} handler call${attempts === 1 ? "" : "s"} a delivery`
  ]
}

const publishing = (durable: boolean, publisher: boolean): string => {
  if (!publisher) return `no publisher: emitted events ${durable ? "stay in the journal" : "are dropped"}`
  return durable
    ? "emitted events are committed with their outcome and published afterwards, under stable ids"
    : "emitted events are published before the acknowledgement, under stable ids"
}

const withoutJournal = (action: "park" | "halt" | "skip") =>
  action === "park" ? "halt (park needs a journal)" : action
