/** Records as Kinesis hands them to the function, built by hand. */
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"

let sequence = 0

/** The body of a request; fields given replace those of a good one. */
export const request = (fields: { readonly [name: string]: unknown } = {}): string => {
  sequence += 1
  return JSON.stringify({
    user_id: 123,
    request_id: `request-${sequence}`,
    timestamp: "2025-10-24T10:30:00Z",
    ...fields
  })
}

/** A request of a user, with the name by which it is counted. */
export const of = (user_id: number, request_id: string, top_n = 20): string => request({ user_id, request_id, top_n })

/** Sequence numbers as AWS writes them: 56 digits, so that a `number` can't hold them. */
export const number = (index: number): string =>
  `49590338271490256608559692538361571095921${String(index).padStart(15, "0")}`

/** Record data by position; a `{ raw }` is put where the base64 would be, as it is. */
export type Data = string | Uint8Array | { readonly raw: unknown }

/** An event of one shard. */
export const event = (data: ReadonlyArray<Data>): LambdaEvent.LambdaEvent => ({
  Records: data.map((one, index) => record(one, index))
})

const record = (data: Data, index: number): LambdaEvent.LambdaRecord => {
  const raw = typeof data === "object" && "raw" in data
  const made = LambdaEvent.record({
    data: raw ? "" : data,
    partitionKey: "anyone",
    sequenceNumber: number(index),
    arrival: 1_761_301_800_000
  })
  return raw ? { ...made, kinesis: { ...made.kinesis, data: data.raw as string } } : made
}
