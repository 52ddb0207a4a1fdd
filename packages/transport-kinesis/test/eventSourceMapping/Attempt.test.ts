import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Attempt from "../../src/eventSourceMapping/Attempt.ts"
import * as Verdict from "../../src/eventSourceMapping/Verdict.ts"
import type * as KinesisClient from "../../src/KinesisClient.ts"

const record = (index: number, arrival = 0): KinesisClient.Record => ({
  sequenceNumber: String(index),
  partitionKey: "k",
  data: new Uint8Array(0),
  arrival
})
const records = (count: number) => Array.from({ length: count }, (_, index) => record(index))
const numbers = (list: ReadonlyArray<KinesisClient.Record>) => list.map((one) => Number(one.sequenceNumber))

interface Run {
  readonly settled: ReadonlyArray<number>
  readonly discards: ReadonlyArray<Attempt.Discard>
  readonly invocations: ReadonlyArray<ReadonlyArray<number>>
}

/** Drives a batch to its end, as the poller does. */
const drive = (
  batch: ReadonlyArray<KinesisClient.Record>,
  policy: Attempt.Policy,
  answer: (sent: ReadonlyArray<number>) => Verdict.Verdict
): Run => {
  const settled: Array<number> = []
  const discards: Array<Attempt.Discard> = []
  const invocations: Array<ReadonlyArray<number>> = []
  let queue: ReadonlyArray<Attempt.Attempt> = [Attempt.first(batch)]
  for (let head = queue[0]; head !== undefined; head = queue[0]) {
    const sent = numbers(head.records)
    invocations.push(sent)
    assert.isBelow(invocations.length, 10_000, "it comes to an end")
    const step = Attempt.next(head, answer(sent), policy)
    settled.push(...sent.slice(0, step.settled))
    if (step.discard !== undefined) discards.push(step.discard)
    queue = [...step.again, ...queue.slice(1)]
  }
  return { settled, discards, invocations }
}

const throwsOn =
  (poison: ReadonlySet<number>) =>
  (sent: ReadonlyArray<number>): Verdict.Verdict =>
    sent.some((number) => poison.has(number)) ? Verdict.thrown : Verdict.settled

const reports =
  (poison: ReadonlySet<number>) =>
  (sent: ReadonlyArray<number>): Verdict.Verdict => {
    const index = sent.findIndex((number) => poison.has(number))
    return index === -1 ? Verdict.settled : { _tag: "From", index }
  }

const small = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))
const scene = Arbitrary.all({
  size: small(1, 60),
  poison: Arbitrary.array(small(0, 59), { maxLength: 6 }),
  retries: small(0, 4),
  bisect: Arbitrary.schema(Schema.Boolean),
  throwing: Arbitrary.schema(Schema.Boolean)
})

describe("a batch", () => {
  it.prop(
    "ends with every record settled or given up once, in order",
    [scene],
    ([{ bisect, poison, retries, size, throwing }]) => {
      const bad = new Set(poison)
      const run = drive(records(size), { maximumRetryAttempts: retries, bisect }, (throwing ? throwsOn : reports)(bad))
      const givenUp = run.discards.flatMap((discard) => numbers(discard.records))
      assert.deepStrictEqual(
        [...run.settled, ...givenUp].toSorted((a, b) => a - b),
        numbers(records(size))
      )
      assert.deepStrictEqual(
        run.settled,
        run.settled.toSorted((a, b) => a - b)
      )
      for (const number of run.settled) assert.isFalse(bad.has(number))
    }
  )

  it.prop("with bisect, an error that is thrown costs the poison alone", [scene], ([{ poison, retries, size }]) => {
    const bad = new Set(poison.filter((number) => number < size))
    const run = drive(records(size), { maximumRetryAttempts: retries, bisect: true }, throwsOn(bad))
    assert.deepStrictEqual(
      run.discards.flatMap((discard) => numbers(discard.records)).toSorted((a, b) => a - b),
      [...bad].toSorted((a, b) => a - b)
    )
  })

  it("a single record is tried once and then as often as it may be retried", () => {
    const run = drive(records(1), { maximumRetryAttempts: 3, bisect: true }, throwsOn(new Set([0])))
    assert.strictEqual(run.invocations.length, 4)
    assert.strictEqual(run.discards[0]?.invocations, 4)
    assert.strictEqual(run.discards[0]?.functionError, "Unhandled")
  })

  it("progress does not reset the retries: three records, three retries, the last fails, four invocations", () => {
    const run = drive(records(3), { maximumRetryAttempts: 3, bisect: false }, reports(new Set([2])))
    assert.deepStrictEqual(run.invocations, [[0, 1, 2], [2], [2], [2]])
    assert.strictEqual(run.discards[0]?.invocations, 4)
    assert.isNull(run.discards[0]?.functionError)
  })

  it("with bisect, a cut at the reported record uses up no retry", () => {
    const run = drive(records(3), { maximumRetryAttempts: 1, bisect: true }, reports(new Set([2])))
    assert.deepStrictEqual(run.invocations, [[0, 1, 2], [2], [2]])
  })

  it("without bisect, what follows a record that keeps failing is given up with it", () => {
    const run = drive(records(5), { maximumRetryAttempts: 2, bisect: false }, throwsOn(new Set([1])))
    assert.deepStrictEqual(numbers(run.discards[0]?.records ?? []), [0, 1, 2, 3, 4])
  })

  it("an answer that can't be read is retried whole, bisect or not", () => {
    const run = drive(records(4), { maximumRetryAttempts: 1, bisect: true }, () => Verdict.unreadable)
    assert.deepStrictEqual(run.invocations, [
      [0, 1, 2, 3],
      [0, 1, 2, 3]
    ])
    assert.isNull(run.discards[0]?.functionError)
  })

  it("is sent for ever when retries are unlimited", () => {
    let left = 500
    const run = drive(records(1), { maximumRetryAttempts: -1, bisect: false }, () =>
      left-- > 0 ? Verdict.thrown : Verdict.settled
    )
    assert.deepStrictEqual([run.invocations.length, run.settled.length], [501, 1])
  })
})

describe("an old record", () => {
  const attempt = Attempt.first([record(0, 0), record(1, 100), record(2, 0)])

  it("at the front is given up before it is sent", () => {
    const { attempt: rest, discard } = Attempt.expire(attempt, 150, 100)
    assert.deepStrictEqual(numbers(rest?.records ?? []), [1, 2])
    assert.deepStrictEqual([discard?.condition, discard?.invocations], ["RecordAgeExceeded", 0])
  })

  it("is still sent at exactly its age", () => {
    assert.strictEqual(Attempt.expire(attempt, 100, 100).attempt, attempt)
  })

  it("leaves nothing when all are old", () => {
    const { attempt: rest, discard } = Attempt.expire(attempt, 1000, 100)
    assert.isUndefined(rest)
    assert.strictEqual(discard?.records.length, 3)
  })
})
