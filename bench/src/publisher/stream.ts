import * as EmbeddedKinesis from "@leat/transport-kinesis/testing/EmbeddedKinesis"
/** The embedded stream in a process of its own, on the core that is not measured; the parent has streams made by messages. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

import * as Cores from "../Cores.ts"
import * as Subprocess from "../Subprocess.ts"

/** A stream that is empty; the one before is deleted, or memory would grow with the rounds. */
export interface Fresh {
  readonly fresh: { readonly stream: string; readonly shards: number; readonly before: string | undefined }
}

export interface Address {
  readonly endpoint: string
}

Cores.pin(Cores.others, process.pid)

const unlimited = Infinity
const runtime = ManagedRuntime.make(
  EmbeddedKinesis.layer({ limits: { recordsPerSecond: unlimited, bytesPerSecond: unlimited } }).pipe(Layer.orDie)
)
const started = runtime.runPromise(Effect.map(EmbeddedKinesis.EmbeddedKinesis, ({ endpoint }) => endpoint))

const call = async (endpoint: string, operation: string, input: object) => {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `Kinesis_20131202.${operation}`,
      "x-amz-date": "20250101T000000Z",
      authorization: "AWS4-HMAC-SHA256 Credential=bench, SignedHeaders=host, Signature=bench"
    },
    body: JSON.stringify(input)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${operation}: ${text}`)
  return text
}

const active = async (endpoint: string, stream: string): Promise<void> => {
  if ((await call(endpoint, "DescribeStreamSummary", { StreamName: stream })).includes('"ACTIVE"')) return
  await new Promise((resolve) => setTimeout(resolve, 5))
  await active(endpoint, stream)
}

Subprocess.answer<Fresh>(async ({ fresh: { before, shards, stream } }): Promise<Address> => {
  const endpoint = await started
  if (before !== undefined) await call(endpoint, "DeleteStream", { StreamName: before })
  await call(endpoint, "CreateStream", { StreamName: stream, ShardCount: shards })
  await active(endpoint, stream)
  return { endpoint }
})
