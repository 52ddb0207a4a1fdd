import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import * as Delivery from "../../Delivery.ts"
import * as Envelope from "../../Envelope.ts"
import type * as Event from "../../Event.ts"
import type { Arrived, Story } from "./Story.ts"

/** A record that is no event of today's code: an envelope of another version or sender, or any bytes. */
export interface Raw {
  readonly name: string
  readonly envelope?: Envelope.Envelope | undefined
  readonly bytes?: Uint8Array | string | undefined
  readonly partitionKey: string
}

/** What may arrive: an event as `Event.make` gives it, or a raw record. */
export type Input = Event.Emitted | Raw

/** The id of an event: its own function says it. */
export const idOf = (story: Story, event: Event.Emitted): string | undefined =>
  story.worker.events.find(({ tag }) => tag === event.type)?.id(event.payload)

/** A record as the transport would deliver it, at the next place of the partition. */
export const arrive = (story: Story, input: Input): Effect.Effect<Arrived> =>
  Effect.map(Clock.currentTimeMillis, (arrival) => {
    const position = String((story.arrived += 1))
    const at = { position, arrival, partitionKey: input.partitionKey }
    return "name" in input
      ? { name: input.name, delivery: Delivery.make({ ...at, bytes: rawBytes(story, input) }) }
      : { name: nameOf(story, input), delivery: Delivery.make({ ...at, bytes: bytesOf(story, input, position) }) }
  })

const rawBytes = ({ codec }: Story, { bytes, envelope }: Raw): Uint8Array | string =>
  envelope === undefined ? (bytes ?? "") : codec.encode(envelope)

const bytesOf = (story: Story, event: Event.Emitted, position: string): Uint8Array =>
  story.codec.encode(
    Envelope.make({
      // A worker that doesn't know the event can't say its id.
      id: idOf(story, event) ?? `unknown-${position}`,
      type: event.type,
      version: event.version,
      key: event.partitionKey,
      data: event.data
    })
  )

/** Type and id: what a person calls a record. */
export const nameOf = (story: Story, input: Input): string => {
  if ("name" in input) return input.name
  const id = idOf(story, input)
  return id === undefined ? input.type : `${input.type} ${id}`
}

/** The names of several, in a row. */
export const namesOf = (story: Story, inputs: ReadonlyArray<Input>): string =>
  inputs.length === 0 ? "nothing" : inputs.map((input) => nameOf(story, input)).join(", ")
