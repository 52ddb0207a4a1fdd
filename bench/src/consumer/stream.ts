import * as EmbeddedKinesis from "@leat/transport-kinesis/testing/EmbeddedKinesis"
/** Embedded streams in a process of their own, on the core that is not measured; the parent has them made by messages. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import * as Cores from "../Cores.ts"
import { inTurn, times } from "../inTurn.ts"
import * as Subprocess from "../Subprocess.ts"
import { recordOf } from "./workload.ts"

/** A stream to make, on a server of its own, and how many records to fill it with. */
export interface Make {
  readonly shards: number
  readonly records: number
}

export interface Address {
  readonly endpoint: string
  readonly stream: string
}

const stream = "bench"
const unlimited = Infinity

const limits = {
  recordsPerSecond: unlimited,
  bytesPerSecond: unlimited,
  readsPerSecond: unlimited,
  readBytesPerSecond: unlimited
}

const start = (shards: number): Promise<string> =>
  ManagedRuntime.make(
    EmbeddedKinesis.layer({ streams: [{ name: stream, shards }], limits }).pipe(Layer.orDie)
  ).runPromise(Effect.map(EmbeddedKinesis.EmbeddedKinesis, ({ endpoint }) => endpoint))

/** As many as one call takes. */
const perCall = 500

const fill = (endpoint: string, records: number) =>
  inTurn(times(Math.ceil(records / perCall)), async (call) => {
    const numbers = times(Math.min(perCall, records - call * perCall)).map((index) => call * perCall + index)
    await put(endpoint, numbers)
  })

const put = async (endpoint: string, numbers: ReadonlyArray<number>) => {
  const records = numbers.map(recordOf).map(({ body, partitionKey }) => ({
    Data: body.toString("base64"),
    PartitionKey: partitionKey
  }))
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "Kinesis_20131202.PutRecords",
      "x-amz-date": "20250101T000000Z",
      authorization: "AWS4-HMAC-SHA256 Credential=bench, SignedHeaders=host, Signature=bench"
    },
    body: JSON.stringify({ StreamName: stream, Records: records })
  })
  const text = await response.text()
  if (!response.ok || !text.includes('"FailedRecordCount":0')) throw new Error(`PutRecords: ${text.slice(0, 500)}`)
}

Cores.pin(Cores.others, process.pid)

Subprocess.answer<Make>(async ({ records, shards }): Promise<Address> => {
  const endpoint = await start(shards)
  await fill(endpoint, records)
  return { endpoint, stream }
})
