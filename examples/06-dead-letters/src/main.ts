/** An event that fails holds back its key and nothing else; a person looks, mends, redrives and discards. */
import * as DeadLetters from "@leat/core/DeadLetters"
import * as Delivery from "@leat/core/Delivery"
import * as Journal from "@leat/core/Journal"
import * as Outcome from "@leat/core/Outcome"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

import { library } from "./Library.ts"

let position = 0
const record = (bytes: string) => Delivery.make({ position: String((position += 1)), bytes })
const wanted = (member: string, film: string) => record(JSON.stringify({ member, film }))

const print = (title: string, lines: ReadonlyArray<string> = []) => {
  console.log(title)
  for (const line of lines) console.log(`  ${line}`)
}

const running = library(["Heat", "Ran"])

/** One batch, as a transport would bring it. */
const deliver = (title: string, ...batch: ReadonlyArray<Delivery.Delivery>) =>
  Effect.gen(function* () {
    print(title)
    const { outcomes } = yield* running.process(batch)
    for (const [index, outcome] of outcomes.entries()) {
      const reason = Outcome.reason(outcome)
      console.log(`  ${batch[index]?.position}: ${outcome._tag}${reason === undefined ? "" : `, ${reason}`}`)
    }
  })

const list = Effect.map(DeadLetters.list("library"), (keys) =>
  print(
    "what waits",
    keys.length === 0 ? ["nothing"] : keys.map(({ count, key, reason }) => `${key}: ${count}, ${reason}`)
  )
)

const inspect = (key: string) =>
  Effect.map(DeadLetters.inspect("library", key), (letters) =>
    print(
      `on ${key}`,
      letters.map(({ attempts, bytes, reason }) => `${new TextDecoder().decode(bytes)} tried ${attempts}×: ${reason}`)
    )
  )

/** The mended code is another process. It is at its first event when the running one is delivered a new one. */
const redrive = Effect.gen(function* () {
  print("mended: Alien is known")
  const [begun, delivered] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const mended = library(
    ["Heat", "Ran", "Alien"],
    Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(delivered))
  )
  const meanwhile = Deferred.await(begun).pipe(
    Effect.andThen(deliver("meanwhile", wanted("ann", "Heat"))),
    Effect.andThen(Deferred.succeed(delivered, undefined)),
    Effect.andThen(Effect.sync(() => print("redriven")))
  )
  const [{ settled }] = yield* Effect.all([DeadLetters.redrive(mended, "ann"), meanwhile], { concurrency: 2 })
  console.log(`  ${settled} settled`)
})

const discard = (key: string, reason: string) =>
  Effect.map(DeadLetters.discard("library", key, { reason }), (count) =>
    print(`${count} of ${key} discarded: ${reason}`)
  )

const main = Effect.gen(function* () {
  yield* deliver(
    "a batch",
    wanted("ann", "Alien"),
    wanted("bob", "Heat"),
    wanted("ann", "Ran"),
    wanted("eve", "Hoat"),
    record('{"member": "bob", "fil')
  )
  yield* list
  yield* inspect("ann")
  yield* redrive
  yield* discard("eve", "eve meant Heat, and asked again")
  yield* deliver("eve asks again", wanted("eve", "Heat"))
  yield* inspect("0/5")
  yield* discard("0/5", "cut off by the sender")
  yield* list
})

await Effect.runPromise(Effect.provide(main, Journal.layerMemory))
