import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import * as FailurePolicy from "../../FailurePolicy.ts"
import { Journal } from "../../Journal.ts"
import type { JournalError } from "../../Journal.ts"
import type { BatchResult } from "../../Outcome.ts"
import * as Worker from "../../Worker.ts"
import { arrive } from "./Input.ts"
import type { Input } from "./Input.ts"
import { said } from "./report.ts"
import type { Arrived, Story } from "./Story.ts"

type Faulty = Effect.Effect<string | undefined, JournalError, Journal>

/** Where a program dies. */
export type Crash = "before the commit" | "after the commit"

const process = (worker: Worker.Worker<never>, batch: ReadonlyArray<Arrived>) =>
  worker.process(batch.map(({ delivery }) => delivery))

/** The events arrive as one batch; the clock moves on by `taking` meanwhile. */
export const deliver = (story: Story, inputs: ReadonlyArray<Input>, taking?: Duration.Input): Faulty =>
  Effect.flatMap(
    Effect.forEach(inputs, (input) => arrive(story, input)),
    (batch) => settle(story, batch, taking)
  )

/** What was delivered last comes again, each with its attempt counted. */
export const redeliver = (story: Story): Faulty => {
  const batch = story.last?.batch ?? []
  if (batch.length === 0) return Effect.succeed("nothing has been delivered that could come again")
  return settle(story, batch.map(again))
}

const again = ({ delivery, name }: Arrived): Arrived => ({
  name,
  delivery: { ...delivery, attempt: delivery.attempt + 1 }
})

const settle = (story: Story, batch: ReadonlyArray<Arrived>, taking?: Duration.Input): Faulty =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(process(story.worker, batch), { startImmediately: true })
    if (taking !== undefined) yield* TestClock.adjust(taking)
    const result = yield* inTime(running, story.patience)
    story.last = { batch, result }
    return result === undefined ? stuck(story.patience) : undefined
  })

/** On the real clock: the story's may stand for ever. */
const inTime = Effect.fnUntraced(function* (running: Fiber.Fiber<BatchResult, JournalError>, patience: Duration.Input) {
  const late = Effect.as(TestClock.withLive(Effect.sleep(patience)), undefined)
  const exit = running.pollUnsafe() ?? (yield* Effect.raceFirst(Fiber.await(running), late))
  if (exit !== undefined) return yield* exit
  yield* Fiber.interrupt(running)
  return undefined
})

const stuck = (patience: Duration.Input) =>
  `the batch is not done after ${Duration.format(Duration.fromInputUnsafe(patience))} of real time: does a handler wait ` +
  "for time to pass? Say how long it takes, `Spec.whenTaking(…)`"

/** The program dies: what it did outside stays done, what it had not committed is gone. */
export const crash = (story: Story, at: Crash, inputs: ReadonlyArray<Input>): Faulty =>
  Effect.gen(function* () {
    const batch = yield* Effect.forEach(inputs, (input) => arrive(story, input))
    const journal = yield* Journal
    const dying: Journal["Service"]["commit"] = (worker, lanes) =>
      Effect.andThen(at === "before the commit" ? Effect.void : journal.commit(worker, lanes), Effect.die(crashed))
    const exit = yield* Effect.exit(
      Effect.provideService(process(story.worker, batch), Journal, { ...journal, commit: dying })
    )
    story.last = { batch }
    if (Exit.isSuccess(exit)) return "there was nothing to commit, so there was no moment to crash at"
    return Cause.squash(exit.cause) === crashed ? undefined : yield* Effect.failCause(exit.cause)
  })

const crashed = { _tag: "Crashed" }

/** Another process handles `by` between this one's reading of the journal and its commit. */
export const overtake = (story: Story, by: ReadonlyArray<Input>, inputs: ReadonlyArray<Input>): Faulty =>
  Effect.gen(function* () {
    const batch = yield* Effect.forEach(inputs, (input) => arrive(story, input))
    const theirs = yield* Effect.forEach(by, (input) => arrive(story, input))
    const journal = yield* Journal
    let waiting = true
    const overtaken: Journal["Service"]["commit"] = (worker, lanes) =>
      Effect.suspend(() => {
        const first = waiting ? theirs : []
        waiting = false
        const other = first.length === 0 ? Effect.void : Effect.provideService(stranger(story, first), Journal, journal)
        return Effect.andThen(other, journal.commit(worker, lanes))
      })
    const ours = Effect.provideService(process(story.worker, batch), Journal, { ...journal, commit: overtaken })
    story.last = { batch, result: yield* ours }
    return waiting ? "this process had nothing to commit, so it could not be overtaken" : undefined
  })

const stranger = (story: Story, batch: ReadonlyArray<Arrived>) =>
  process(
    standIn(story, () => Effect.void),
    batch
  )

/** The events failed for good earlier: each at the head of its key, or behind one that is. */
export const park = (story: Story, reason: string, inputs: ReadonlyArray<Input>): Faulty =>
  Effect.gen(function* () {
    const batch = yield* Effect.forEach(inputs, (input) => arrive(story, input))
    const failing = standIn(story, () => Effect.fail(reason))
    const { outcomes } = yield* Effect.provideService(
      process(failing, batch),
      FailurePolicy.FailurePolicy,
      FailurePolicy.make()
    )
    const other = outcomes.findIndex(({ _tag }) => _tag !== "Parked")
    const outcome = outcomes[other]
    return outcome === undefined ? undefined : `${batch[other]?.name} could not be parked, it is ${said(outcome)}`
  })

/** A worker of the same name and events with other code. */
const standIn = ({ worker }: Story, body: () => Effect.Effect<void, string>): Worker.Worker<never> =>
  Worker.make(worker.name, {
    events: worker.events,
    codec: worker.codec,
    handle: Object.fromEntries(worker.events.map(({ tag }) => [tag, body]))
  })
