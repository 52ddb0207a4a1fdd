/** Makes the table of checkpoints where there is none. */
import * as Sdk from "@aws-sdk/client-dynamodb"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

import type { CheckpointError } from "../Checkpoint.ts"
import * as CheckpointRow from "./CheckpointRow.ts"
import type { ConditionFailed } from "./DynamoError.ts"

/** One call of the SDK, bounded in time. */
export type Ask = <A>(
  operation: CheckpointRow.Operation,
  send: (client: Sdk.DynamoDBClient, abort: { readonly abortSignal: AbortSignal }) => Promise<A>
) => Effect.Effect<A, CheckpointError | ConditionFailed>

type Status = string | undefined

const describe = (ask: Ask, table: string): Effect.Effect<Status, CheckpointError> =>
  ask("open", (client, abort) => client.send(new Sdk.DescribeTableCommand({ TableName: table }), abort)).pipe(
    Effect.map(({ Table }): Status => Table?.TableStatus),
    absent("ResourceNotFoundException")
  )

/** Two programs that start at once both make it: one of them is told that it is in use. */
const create = (ask: Ask, table: string): Effect.Effect<Status, CheckpointError> =>
  ask("open", (client, abort) =>
    client.send(
      new Sdk.CreateTableCommand({
        TableName: table,
        BillingMode: "PAY_PER_REQUEST",
        KeySchema: [
          { AttributeName: "group", KeyType: "HASH" },
          { AttributeName: "shardId", KeyType: "RANGE" }
        ],
        AttributeDefinitions: [
          { AttributeName: "group", AttributeType: "S" },
          { AttributeName: "shardId", AttributeType: "S" }
        ]
      }),
      abort
    )
  ).pipe(
    Effect.map(({ TableDescription }): Status => TableDescription?.TableStatus),
    absent("ResourceInUseException")
  )

/** `undefined` for an error of that name. */
const absent =
  (name: string) =>
  (call: Effect.Effect<Status, CheckpointError | ConditionFailed>): Effect.Effect<Status, CheckpointError> =>
    Effect.catch(call, (error) => {
      if (error._tag === "ConditionFailed") return Effect.die(error)
      const { cause } = error
      return cause instanceof Error && cause.name === name ? Effect.undefined : Effect.fail(error)
    })

/** Usable while it is being updated, too. */
const ready = new Set<Status>(["ACTIVE", "UPDATING"])

const patience = Schedule.spaced("500 millis").pipe(Schedule.upTo({ duration: "90 seconds" }))

/** Ends when the table can be used. */
export const ensure = (ask: Ask, table: string): Effect.Effect<void, CheckpointError> =>
  Effect.gen(function* () {
    const found = yield* describe(ask, table)
    const status = found ?? (yield* create(ask, table))
    if (!ready.has(status)) yield* usable(ask, table)
  })

const usable = (ask: Ask, table: string): Effect.Effect<void, CheckpointError> =>
  Effect.flatMap(
    Effect.repeat(describe(ask, table), { until: (status) => ready.has(status), schedule: patience }),
    (last) =>
      ready.has(last)
        ? Effect.void
        : CheckpointRow.fault("open", "Unavailable", `the table ${table} of DynamoDB is still being made`)
  )
