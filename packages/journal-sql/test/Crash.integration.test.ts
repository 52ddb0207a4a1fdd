/** A program that is killed again and again (SIGKILL) in the middle of its work, on a real store each. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

import { assert, describe, it } from "@effect/vitest"
import * as DeadLetters from "@leat/core/DeadLetters"
import * as Journal from "@leat/core/Journal"
import * as Outbox from "@leat/core/Outbox"
import * as View from "@leat/core/View"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { inject } from "vitest"

import * as Ledger from "./crash/Ledger.ts"
import * as Database from "./Database.ts"

const total = 20_000
const kills = 20

const program = join(import.meta.dirname, "crash/program.ts")

const start = (args: ReadonlyArray<string>, onBatch: (child: ChildProcess, batches: number) => void) =>
  new Promise<NodeJS.Signals | number | null>((resolve) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...args], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let batches = 0
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("at ")) onBatch(child, (batches += 1))
    })
    child.once("close", (code, signal) => resolve(signal ?? code))
  })

/** One life of the program: killed after so many batches, or left to end where that is `undefined`. */
const live = async (args: ReadonlyArray<string>, last: number | undefined): Promise<"killed" | "done"> => {
  const end = await start(args, (child, batches) => void (batches === last && child.kill("SIGKILL")))
  if (end !== "SIGKILL" && end !== 0) throw new Error(`the program ended with ${end}`)
  return end === 0 ? "done" : "killed"
}

/** A few batches at most, so that twenty lives don't end the work; which moment of a batch it is, is up to the scheduler. */
const someBatches = () => 1 + Math.floor(Math.random() * 24)

/** Lives until the work is done. */
const inTurn = async (
  folder: string,
  url: string
): Promise<{ readonly published: string; readonly killed: number }> => {
  const published = join(folder, "published")
  const args = [url, join(folder, "acknowledged"), published, String(total)]
  let killed = 0
  while ((await live(args, killed < kills ? someBatches() : undefined)) === "killed") killed += 1
  return { published, killed }
}

const entries = Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))

const ascending = (numbers: ReadonlyArray<number>) =>
  numbers.every((n, index) => index === 0 || n > (numbers[index - 1] ?? 0))

const byAccount = <A>(items: ReadonlyArray<A>, account: (item: A) => string) => Map.groupBy(items, account)

const linesOf = (file: string) => readFileSync(file, "utf8").trimEnd().split("\n")

const numberOf = (id: string) => Number(/booked-(\d+)/.exec(id)?.[1])

/** What must hold after all lives: nothing lost, order kept, each outcome once, every event published in order. */
const judge = (published: string, total: number) =>
  Effect.gen(function* () {
    const before = yield* entries
    const deliveries = before.filter(({ resolves }) => resolves === undefined)
    assert.strictEqual(deliveries.length, total, "each event has one outcome")
    assert.strictEqual(new Set(deliveries.map(({ id }) => id)).size, total, "of its own")
    assert.deepStrictEqual(
      before.map(({ position }) => position),
      before.map((_, index) => index + 1),
      "positions have no gaps"
    )
    for (const [account, own] of byAccount(deliveries, ({ key }) => key)) {
      assert.isTrue(ascending(own.map(({ id }) => numberOf(id))), `${account} is in order`)
      const bad = own.findIndex(({ id }) => Ledger.isBad(numberOf(id)))
      const after = bad === -1 ? [] : own.slice(bad)
      assert.isTrue(
        after.every(({ outcome }) => outcome._tag === "Parked"),
        `${account}: nothing passes what is parked`
      )
    }

    const redriven = yield* DeadLetters.redriveAll(Ledger.ledger(true))
    assert.deepStrictEqual(
      redriven.filter(({ stopped }) => stopped !== undefined),
      []
    )
    // What a program held when it was killed is another one's when the hold has passed.
    yield* Effect.repeat(Outbox.relay({ name: "ledger" }), {
      until: () => linesOf(published).length >= total && new Set(linesOf(published)).size === total,
      schedule: Schedule.spaced("500 millis")
    }).pipe(Effect.timeoutOption(2 * Journal.outboxHold))
    const all = yield* entries
    const handled = all.filter(({ outcome }) => outcome._tag === "Handled")
    assert.strictEqual(handled.length, total, "and was handled once in the end")
    for (const [account, own] of byAccount(handled, ({ key }) => key)) {
      assert.isTrue(ascending(own.map(({ id }) => numberOf(id))), `${account} was handled in order`)
      const state = yield* View.get(Ledger.balance, account)
      assert.strictEqual(Option.getOrUndefined(state)?.bookings, own.length, `${account} was folded once`)
    }

    const lines = linesOf(published)
    const firsts = [...new Set(lines)]
    assert.strictEqual(firsts.length, total, "every event was published")
    for (const [account, own] of byAccount(firsts, (line) => line.split(" ")[0] ?? "")) {
      assert.isTrue(ascending(own.map(numberOf)), `${account} was published in order`)
    }
    return lines.length - firsts.length
  })

// Side by side: half of their time they wait for what a killed program held.
describe.concurrent(`a program that is killed ${kills} times in ${total} events`, () => {
  const must = (store: string, address: (folder: string) => Promise<string>) =>
    it.live(
      `loses nothing, keeps order and has each outcome once, on ${store}`,
      () =>
        Effect.gen(function* () {
          const folder = mkdtempSync(join(tmpdir(), "leat-crash-"))
          const url = yield* Effect.promise(() => address(folder))
          const { killed, published } = yield* Effect.promise(() => inTurn(folder, url))
          assert.isAtLeast(killed, kills)
          yield* judge(published, total).pipe(Effect.provide(Ledger.parts(url, published)))
          rmSync(folder, { recursive: true })
        }),
      180_000
    )

  must("SQLite", async (folder) => `sqlite:${join(folder, "journal.sqlite")}`)
  must("PostgreSQL", () => Database.create(inject("postgres").url))
})

describe("a program that stood still while another one did its work", () => {
  it.live(
    "commits nothing of it a second time when it goes on",
    () =>
      Effect.gen(function* () {
        const events = 3_000
        const folder = mkdtempSync(join(tmpdir(), "leat-zombie-"))
        const url = yield* Effect.promise(() => Database.create(inject("postgres").url))
        const published = join(folder, "published")
        // Each with a note of its own of how far it came: as two that take themselves for the owner of a shard.
        const argsOf = (name: string) => [url, join(folder, name), published, String(events)]
        yield* Effect.promise(async () => {
          const stopped = Promise.withResolvers<ChildProcess>()
          const ended = start(argsOf("zombie"), (child, batches) => {
            if (batches === 8 && child.kill("SIGSTOP")) stopped.resolve(child)
          })
          const zombie = await stopped.promise
          assert.strictEqual(await live(argsOf("successor"), undefined), "done")
          zombie.kill("SIGCONT")
          assert.strictEqual(await ended, 0)
        })
        yield* judge(published, events).pipe(Effect.provide(Ledger.parts(url, published)))
        rmSync(folder, { recursive: true })
      }),
    120_000
  )
})
