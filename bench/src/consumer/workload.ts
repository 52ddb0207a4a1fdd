import * as Event from "@leat/core/Event"
import * as Worker from "@leat/core/Worker"
import * as Schema from "effect/Schema"

/** A record as it is put: its partition key and its body of {@link bodyBytes} bytes. */
export interface Put {
  readonly partitionKey: string
  readonly body: Buffer
}

export const keys = 1000
export const bodyBytes = 200

const Played = Event.make("Played", {
  payload: Schema.Struct({ user: Schema.String, number: Schema.Int, note: Schema.String }),
  key: ({ user }) => user,
  id: ({ number }) => `played-${number}`
})

const padding = "x".repeat(bodyBytes)

/** The record of this number, from 0; keys take turns. */
export const recordOf = (number: number): Put => {
  const user = `user-${number % keys}`
  const head = `{"user":"${user}","number":${number},"note":"`
  return { partitionKey: user, body: Buffer.from(`${head}${padding.slice(head.length + 2)}"}`) }
}

/** 56 digits, as Kinesis gives them. */
export const sequenceNumberOf = (number: number) =>
  `495903382714902566085596925383615710959215759891${String(number).padStart(8, "0")}`

/** What was read: how many records, and the sum of their numbers, so that none can have come twice in place of another. */
export class Tally {
  #count = 0
  #sum = 0
  #awaited = Infinity
  #reached: () => void = () => undefined

  add(number: number): void {
    this.#sum += number
    this.#count += 1
    if (this.#count === this.#awaited) this.#reached()
  }

  /** Until so many were counted since the beginning. */
  until(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited = count
      this.#reached = resolve
      if (this.#count >= count) resolve()
    })
  }

  /** Throws unless the records from 0 up to this number came, once each. */
  check(records: number): void {
    const sum = (records * (records - 1)) / 2
    if (this.#count === records && this.#sum === sum) return
    throw new Error(`${this.#count} records of ${records} came; their numbers sum up to ${this.#sum}, not ${sum}`)
  }
}

/** Counts, and nothing else: what is measured is the way to the handler. */
export const counting = (tally: Tally) =>
  Worker.make("counting", {
    events: [Played],
    handle: {
      *Played({ number }) {
        tally.add(number)
      }
    }
  })
