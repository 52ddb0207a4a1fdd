/**
 * Checkpoints in DynamoDB: one item a shard.
 *
 * **Guarantees.** Every write is conditional on the owner's token, so needs no transaction, and every read is strongly
 * consistent. Nothing is left to a time to live. No call takes longer than `timeout`. Being throttled is a typed error
 * that may be retried; the SDK retries nothing itself, so that nobody waits twice.
 *
 * **Gotchas.** A checkpoint costs one write unit. First positions are written one after the other, as their order is
 * promised: a first start on a stream of many shards takes some milliseconds for each. The table has the partition key
 * `group` (the application and its stream) and the sort key `shardId`, both text; the program needs `dynamodb:Query`,
 * `PutItem`, `UpdateItem`, `GetItem` and `DeleteItem` on it, and with `createTable` also `DescribeTable` and `CreateTable`.
 *
 * @since 0.1.0
 */
import * as Sdk from "@aws-sdk/client-dynamodb"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

import { CheckpointStore } from "../Checkpoint.ts"
import type { Checkpoint, CheckpointError, Group } from "../Checkpoint.ts"
import * as AwsConfig from "../internal/awsConfig.ts"
import { bounded } from "../internal/Bounded.ts"
import * as CheckpointRow from "../internal/CheckpointRow.ts"
import * as DynamoError from "../internal/DynamoError.ts"
import * as DynamoTable from "../internal/DynamoTable.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import * as ShardPosition from "../ShardPosition.ts"

/**
 * Which table, and how it is reached.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Pick<KinesisClient.Options, "endpoint" | "region" | "credentials"> {
  readonly table: string
  /** Whether to make the table, billed by request, where there is none; that may take half a minute. Default false. */
  readonly createTable?: boolean | undefined
  /** How long a call may take. Default 5 s. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Checkpoints in the table given.
 *
 * **Details**
 *
 * Nothing is asked of AWS before the first call, unless the table is to be made.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<CheckpointStore, CheckpointError> =>
  Layer.effect(
    CheckpointStore,
    Effect.gen(function* () {
      const timeout = Duration.toMillis(options.timeout ?? "5 seconds")
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Sdk.DynamoDBClient(sdkConfig(options, timeout))),
        (sdk) => Effect.sync(() => sdk.destroy())
      )
      const ask = asking(client, options.table, timeout)
      if (options.createTable === true) yield* DynamoTable.ensure(ask, options.table)
      return make(ask, options.table)
    })
  )

/**
 * Checkpoints in the table that `CHECKPOINT_TABLE` names, made where there is none if `CHECKPOINT_CREATE_TABLE` is true;
 * `DYNAMODB_ENDPOINT`, `AWS_REGION` and the SDK's own chain for credentials say where.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<CheckpointStore, CheckpointError | Config.ConfigError> = Layer.unwrap(
  Effect.map(
    Config.all({
      table: Config.NonEmptyString("CHECKPOINT_TABLE"),
      createTable: Config.withDefault(Config.Boolean("CHECKPOINT_CREATE_TABLE"), false),
      endpoint: Config.option(Config.URL("DYNAMODB_ENDPOINT")),
      region: Config.option(Config.NonEmptyString("AWS_REGION")),
      accessKey: Config.option(Config.NonEmptyString("AWS_ACCESS_KEY_ID")),
      profile: Config.option(Config.NonEmptyString("AWS_PROFILE"))
    }),
    ({ accessKey, createTable, endpoint, profile, region, table }) =>
      layer({
        table,
        createTable,
        endpoint: Option.getOrUndefined(Option.map(endpoint, (url) => url.href)),
        region: Option.getOrUndefined(region),
        credentials: Option.isSome(accessKey) || Option.isSome(profile) ? "chain" : undefined
      })
  )
)

const sdkConfig = (options: Options, timeout: number): Sdk.DynamoDBClientConfig => ({
  ...AwsConfig.of(options),
  maxAttempts: 1,
  requestHandler: new NodeHttpHandler({
    connectionTimeout: timeout,
    requestTimeout: timeout,
    throwOnRequestTimeout: true
  })
})

const asking =
  (client: Sdk.DynamoDBClient, table: string, timeout: number): DynamoTable.Ask =>
  (operation, send) =>
    Effect.tryPromise({
      try: (abortSignal) => send(client, { abortSignal }),
      catch: (cause) => DynamoError.fromThrown(operation, table, cause)
    }).pipe(bounded(timeout, () => CheckpointRow.late(operation, `the table ${table} of DynamoDB`, timeout)))

type Item = { readonly [name: string]: Sdk.AttributeValue }

/** Several of these names are reserved words of DynamoDB's expressions. */
const names = { "#group": "group", "#shard": "shardId" } as const

/** Most calls at once of one `remove`. */
const concurrency = 16

const make = (ask: DynamoTable.Ask, table: string): CheckpointStore["Service"] => ({
  list: (group) =>
    Effect.flatMap(query(ask, table, group), (rows) => CheckpointRow.readAll("list", rows.map(toStored))),
  create: (group, births) =>
    Effect.forEach(
      births,
      // One after the other: of those that are on their way at once a later one may be the one that is written.
      ({ position, shardId }) => Effect.asVoid(unlessRefused(put(ask, table, group, shardId, position))),
      { discard: true }
    ),
  acquire: (group, shardId, owner) =>
    Effect.flatMap(
      unlessRefused(take(ask, table, group, shardId, owner)),
      (found): Effect.Effect<Checkpoint | undefined, CheckpointError> =>
        found === undefined ? Effect.undefined : CheckpointRow.read("acquire", toStored(found.Attributes ?? {}))
    ),
  advance: (group, write) =>
    Effect.flatMap(unlessRefused(move(ask, table, group, write)), (moved) =>
      moved === undefined ? isOwners(ask, table, group, write) : Effect.succeed(true)
    ),
  remove: (group, shardIds) =>
    Effect.forEach(
      shardIds,
      (shardId) =>
        whole(
          ask("remove", (client, abort) =>
            client.send(new Sdk.DeleteItemCommand({ TableName: table, Key: keyOf(group, shardId) }), abort)
          )
        ),
      { concurrency, discard: true }
    )
})

/** `undefined` where the condition did not hold. */
const unlessRefused = <A>(
  call: Effect.Effect<A, CheckpointError | DynamoError.ConditionFailed>
): Effect.Effect<A | undefined, CheckpointError> => Effect.catchTag(call, "ConditionFailed", () => Effect.undefined)

const keyOf = (group: Group, shardId: string) => ({
  group: { S: CheckpointRow.groupName(group) },
  shardId: { S: CheckpointRow.encodeName(shardId) }
})

const query = Effect.fnUntraced(function* (ask: DynamoTable.Ask, table: string, group: Group) {
  const items: Array<Item> = []
  let from: Record<string, Sdk.AttributeValue> | undefined
  do {
    const input: Sdk.QueryCommandInput = {
      TableName: table,
      ConsistentRead: true,
      KeyConditionExpression: "#group = :group",
      ExpressionAttributeNames: { "#group": names["#group"] },
      ExpressionAttributeValues: { ":group": { S: CheckpointRow.groupName(group) } },
      ...(from === undefined ? {} : { ExclusiveStartKey: from })
    }
    const page: Sdk.QueryCommandOutput = yield* whole(
      ask("list", (client, abort) => client.send(new Sdk.QueryCommand(input), abort))
    )
    items.push(...(page.Items ?? []))
    from = page.LastEvaluatedKey
  } while (from !== undefined)
  return items
})

/** A call that has no condition. */
const whole = <A>(
  call: Effect.Effect<A, CheckpointError | DynamoError.ConditionFailed>
): Effect.Effect<A, CheckpointError> => Effect.catchTag(call, "ConditionFailed", Effect.die)

const put = (
  ask: DynamoTable.Ask,
  table: string,
  group: Group,
  shardId: string,
  position: ShardPosition.ShardPosition
) =>
  ask("create", (client, abort) =>
    client.send(
      new Sdk.PutItemCommand({
        TableName: table,
        Item: {
          ...keyOf(group, shardId),
          position: { S: ShardPosition.encode(position) },
          token: { N: "0" },
          revision: { N: "0" },
          owner: { S: "" }
        },
        ConditionExpression: "attribute_not_exists(#shard)",
        ExpressionAttributeNames: { "#shard": names["#shard"] }
      }),
      abort
    )
  )

const take = (ask: DynamoTable.Ask, table: string, group: Group, shardId: string, owner: string) =>
  ask("acquire", (client, abort) =>
    client.send(
      new Sdk.UpdateItemCommand({
        TableName: table,
        Key: keyOf(group, shardId),
        UpdateExpression: "SET #token = #token + :one, #revision = :none, #owner = :owner",
        ConditionExpression: "attribute_exists(#shard)",
        ExpressionAttributeNames: {
          "#shard": names["#shard"],
          "#token": "token",
          "#revision": "revision",
          "#owner": "owner"
        },
        ExpressionAttributeValues: {
          ":one": { N: "1" },
          ":none": { N: "0" },
          ":owner": { S: CheckpointRow.encodeName(owner) }
        },
        ReturnValues: "ALL_NEW"
      }),
      abort
    )
  )

type Write = Parameters<CheckpointStore["Service"]["advance"]>[1]

const move = (ask: DynamoTable.Ask, table: string, group: Group, { position, revision, shardId, token }: Write) =>
  ask("advance", (client, abort) =>
    client.send(
      new Sdk.UpdateItemCommand({
        TableName: table,
        Key: keyOf(group, shardId),
        UpdateExpression: "SET #position = :position, #revision = :revision",
        ConditionExpression: "#token = :token AND #revision < :revision",
        ExpressionAttributeNames: { "#token": "token", "#revision": "revision", "#position": "position" },
        ExpressionAttributeValues: {
          ":token": { N: String(token) },
          ":revision": { N: String(revision) },
          ":position": { S: ShardPosition.encode(position) }
        }
      }),
      abort
    )
  )

/** Why a write changed nothing: it is not the owner's, or it was made already, as after an answer that got lost. */
const isOwners = (ask: DynamoTable.Ask, table: string, group: Group, { shardId, token }: Write) =>
  Effect.map(
    whole(
      ask("advance", (client, abort) =>
        client.send(
          new Sdk.GetItemCommand({ TableName: table, Key: keyOf(group, shardId), ConsistentRead: true }),
          abort
        )
      )
    ),
    ({ Item }) => Item !== undefined && Number(Item["token"]?.N) === token
  )

const toStored = (item: Item): CheckpointRow.Stored => ({
  shardId: item["shardId"]?.S ?? "",
  position: item["position"]?.S ?? "",
  token: Number(item["token"]?.N ?? "-1"),
  owner: item["owner"]?.S ?? ""
})
