/** Splits a shard in the middle of its hash keys, as an operator would. */
import * as Sdk from "@aws-sdk/client-kinesis"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Effect from "effect/Effect"

export const split = (endpoint: string, stream: string, shardId: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    const client = new Sdk.KinesisClient({
      endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      // HTTP/2, the SDK's default for Kinesis, needs TLS.
      requestHandler: new NodeHttpHandler()
    })
    const { Shards = [] } = await client.send(new Sdk.ListShardsCommand({ StreamName: stream }))
    const range = Shards.find((shard) => shard.ShardId === shardId)?.HashKeyRange
    const middle = (BigInt(range?.StartingHashKey ?? 0) + BigInt(range?.EndingHashKey ?? 0)) / 2n
    const input = { StreamName: stream, ShardToSplit: shardId, NewStartingHashKey: String(middle) }
    await client.send(new Sdk.SplitShardCommand(input))
    client.destroy()
  })
