import * as Sdk from "@aws-sdk/client-kinesis"
import { NodeHttpHandler } from "@smithy/node-http-handler"

/**
 * A client with the options of our own, see `KinesisClient.ts`, but with the SDK's three attempts: our fetcher repeats what
 * failed itself, and a connection that the server closes as it is used again would end the loop.
 */
export const clientOf = (endpoint: string): Sdk.KinesisClient =>
  new Sdk.KinesisClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: new NodeHttpHandler({ requestTimeout: 10_000, throwOnRequestTimeout: true })
  })

/** An iterator for every shard of the stream. */
export const iterators = async (client: Sdk.KinesisClient, stream: string, from: "TRIM_HORIZON" | "LATEST") => {
  const { Shards: shards = [] } = await client.send(new Sdk.ListShardsCommand({ StreamName: stream }))
  return Promise.all(
    shards.map(async ({ ShardId: shard = "" }) => {
      const asked = { StreamName: stream, ShardId: shard, ShardIteratorType: from }
      const { ShardIterator: iterator = "" } = await client.send(new Sdk.GetShardIteratorCommand(asked))
      return iterator
    })
  )
}
