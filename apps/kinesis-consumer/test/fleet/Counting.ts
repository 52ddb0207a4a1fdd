/** What the processes of a fleet do, and what their test knows of it: numbered events per key, every run of a handler noted. */
import { openSync, writeSync } from "node:fs"

import * as Event from "@leat/core/Event"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const stream = "counted"

/** Deliveries in a batch at most: what a shard may repeat outside when its owner is killed. */
export const batchSize = 50

/** Milliseconds. */
export const lease = 2_000

/** The `number`-th event of its key, from 1. */
export const Counted = Event.make("Counted", {
  payload: Schema.Struct({ key: Schema.String, number: Schema.Int }),
  key: ({ key }) => key,
  id: ({ key, number }) => `${key}/${number}`
})

/** Notes each run in a file before it succeeds: a write of the kernel's, so that SIGKILL takes none of them back. */
export const counting = (file: string) => {
  const notes = openSync(file, "a")
  return Worker.make("counting", {
    events: [Counted],
    handle: {
      *Counted({ key, number }) {
        writeSync(notes, `${process.hrtime.bigint()} ${key} ${number}\n`)
        // As a call to the outside: time in which it may be killed or frozen.
        yield* Effect.sleep("50 millis")
      }
    }
  })
}

/** Where the processes agree, and all that they share. */
export interface Places {
  readonly kind: "postgres" | "redis"
  readonly postgres: string
  readonly redis: string
  readonly kinesis: string
  /** Of the journal and the leases, and the application. */
  readonly namespace: string
}
