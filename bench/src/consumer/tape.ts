/**
 * A stream that only plays: every page of `GetRecords` was written down before, byte for byte as the embedded stream and
 * AWS answer, and costs no more than its sending. It runs in a process of its own on the core that is not measured, so
 * that what limits is who reads.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"

import * as Cores from "../Cores.ts"
import { times } from "../inTurn.ts"
import * as Subprocess from "../Subprocess.ts"
import type { Address, Make } from "./stream.ts"
import { recordOf, sequenceNumberOf } from "./workload.ts"

const stream = "bench"
const perPage = 10_000
const arrival = 1_761_300_000

const shardIdOf = (shard: number) => `shardId-${String(shard).padStart(12, "0")}`

const widest = 2n ** 128n

const shardOf = (shards: number) => (shard: number) => ({
  ShardId: shardIdOf(shard),
  HashKeyRange: {
    StartingHashKey: String((widest / BigInt(shards)) * BigInt(shard)),
    EndingHashKey: String(shard === shards - 1 ? widest - 1n : (widest / BigInt(shards)) * BigInt(shard + 1) - 1n)
  },
  SequenceNumberRange: { StartingSequenceNumber: sequenceNumberOf(0) }
})

const summary = (shards: number) => ({
  StreamDescriptionSummary: {
    StreamName: stream,
    StreamARN: `arn:aws:kinesis:us-east-1:000000000000:stream/${stream}`,
    StreamStatus: "ACTIVE",
    StreamCreationTimestamp: arrival,
    RetentionPeriodHours: 24,
    EnhancedMonitoring: [],
    OpenShardCount: shards
  }
})

/** An iterator is the number of its page. */
const iteratorOf = (shard: number, page: number) => `${shardIdOf(shard)}/${page}`

const wire = (number: number) => {
  const { body, partitionKey } = recordOf(number)
  return {
    SequenceNumber: sequenceNumberOf(number),
    ApproximateArrivalTimestamp: arrival + number / 1000,
    Data: body.toString("base64"),
    PartitionKey: partitionKey
  }
}

/** The pages of a shard, which has every so many-th record (its keys stay its own), and the empty one at the tip, which leads to itself. */
const pagesOf = (shard: number, { records, shards }: Make): ReadonlyArray<Buffer> => {
  const own = times(Math.ceil((records - shard) / shards)).map((index) => index * shards + shard)
  const full = Math.ceil(own.length / perPage)
  return times(full + 1).map((page) =>
    bytesOf({
      Records: own.slice(page * perPage, (page + 1) * perPage).map(wire),
      NextShardIterator: iteratorOf(shard, Math.min(page + 1, full)),
      MillisBehindLatest: page < full - 1 ? 60_000 : 0
    })
  )
}

const bytesOf = (value: object) => Buffer.from(JSON.stringify(value))

type Answers = (operation: string, input: { readonly [field: string]: unknown }) => Buffer | undefined

const answersOf = (make: Make): Answers => {
  const shards = times(make.shards)
  const pages = new Map(
    shards.flatMap((shard) => pagesOf(shard, make).map((page, number) => [iteratorOf(shard, number), page]))
  )
  const listed = bytesOf({ Shards: shards.map(shardOf(make.shards)) })
  return (operation, input) => {
    if (operation === "GetRecords") return pages.get(String(input["ShardIterator"]))
    if (operation === "GetShardIterator") return bytesOf({ ShardIterator: `${String(input["ShardId"])}/0` })
    if (operation === "ListShards") return listed
    return operation === "DescribeStreamSummary" ? bytesOf(summary(make.shards)) : undefined
  }
}

const serve = async (answers: Answers, request: IncomingMessage, response: ServerResponse) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  const operation = String(request.headers["x-amz-target"]).replace("Kinesis_20131202.", "")
  const body = answers(operation, JSON.parse(Buffer.concat(chunks).toString()))
  const headers = { "content-type": "application/x-amz-json-1.1" }
  response.writeHead(body === undefined ? 400 : 200, { ...headers, "content-length": body?.length ?? 0 })
  response.end(body)
}

Cores.pin(Cores.others, process.pid)

Subprocess.answer<Make>(async (make): Promise<Address> => {
  const answers = answersOf(make)
  const server = createServer((request, response) => void serve(answers, request, response))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (typeof address !== "object" || address === null) throw new Error("the tape listens nowhere")
  return { endpoint: `http://127.0.0.1:${address.port}`, stream }
})
