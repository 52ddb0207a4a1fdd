/** Where the checkpoints are: `CHECKPOINT_URL`, else the database of the journal. */
import * as Checkpoint from "@leat/transport-kinesis/Checkpoint"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

import * as Assignment from "./Assignment.ts"

/** An address of checkpoints. */
export type Address =
  | { readonly _tag: "Postgres" | "Redis"; readonly url: Redacted.Redacted }
  | { readonly _tag: "Sqlite"; readonly file: string }
  | { readonly _tag: "Dynamo"; readonly table: string }
  | { readonly _tag: "Memory" }

const secret = (name: string): Config.Config<Redacted.Redacted | undefined> =>
  Config.map(Config.option(Config.Redacted(name)), (found) =>
    Option.getOrUndefined(Option.filter(found, (value) => Redacted.value(value) !== ""))
  )

const fault = (message: string): Config.Config<never> => Config.fail(new ConfigProvider.SourceError({ message }))

/** Reads the variables. What is no address is refused without repeating it: it may hold a password. */
export const address: Config.Config<Address> = Config.flatMap(
  Config.all({ own: secret("CHECKPOINT_URL"), shared: secret("DATABASE_URL"), assignment: Assignment.kind }),
  ({ assignment, own, shared }) => {
    const url = own ?? shared
    if (url === undefined) {
      return fault(
        "neither CHECKPOINT_URL nor DATABASE_URL is set: set one to where checkpoints stay between starts, or CHECKPOINT_URL=memory if a restart may begin anew"
      )
    }
    const found = own === undefined ? databaseOf(url) : addressOf(url)
    if (found === undefined) {
      return fault(
        own === undefined
          ? "DATABASE_URL is neither postgres://user:password@host:port/database nor sqlite:PATH (its value is not shown)"
          : "CHECKPOINT_URL is none of postgres://user:password@host:port/database, sqlite:PATH, redis://user:password@host:port/database, dynamodb:TABLE and memory (its value is not shown)"
      )
    }
    return found._tag === "Memory" && assignment !== "solo"
      ? fault(
          `CHECKPOINT_URL=memory does not go with SHARD_ASSIGNMENT=${assignment}: a shard that moves would begin anew. Set CHECKPOINT_URL to a store that all processes reach`
        )
      : Config.succeed(found)
  }
)

const addressOf = (url: Redacted.Redacted): Address | undefined => {
  const text = Redacted.value(url)
  if (text === "memory") return { _tag: "Memory" }
  const table = /^dynamodb:([\w.-]{3,255})$/.exec(text)?.[1]
  if (table !== undefined) return { _tag: "Dynamo", table }
  return /^rediss?:\/\//.test(text) && URL.canParse(text) ? { _tag: "Redis", url } : databaseOf(url)
}

const databaseOf = (url: Redacted.Redacted): Address | undefined => {
  const text = Redacted.value(url)
  const file = /^(?:sqlite|file):(?:\/\/)?(.+)$/.exec(text)?.[1]
  if (file !== undefined) return { _tag: "Sqlite", file }
  return /^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text) ? { _tag: "Postgres", url } : undefined
}

type Store = Layer.Layer<Checkpoint.CheckpointStore, Checkpoint.CheckpointError | Config.ConfigError>

/** The store; only its own driver is loaded. */
export const layerConfig: Store = Layer.unwrap(Effect.flatMap(address, (found) => storeOf(found)))

const storeOf = (address: Address): Effect.Effect<Store> => {
  if (address._tag === "Memory") return Effect.as(Effect.logWarning(forgetful), Checkpoint.layerMemory)
  if (address._tag === "Sqlite") {
    return loaded(import("@leat/transport-kinesis/checkpoint/Sqlite"), ({ layer }) => layer({ file: address.file }))
  }
  if (address._tag === "Dynamo") {
    return loaded(import("@leat/transport-kinesis/checkpoint/Dynamo"), ({ layerConfig }) =>
      Layer.provide(layerConfig, named(address.table))
    )
  }
  const { url } = address
  return address._tag === "Postgres"
    ? loaded(import("@leat/transport-kinesis/checkpoint/Postgres"), ({ layer }) => layer({ url }))
    : loaded(import("@leat/transport-kinesis/checkpoint/Redis"), ({ layer }) => layer({ url }))
}

const forgetful = "checkpoints are kept in memory (CHECKPOINT_URL=memory): a restart begins anew at CONSUMER_START"

const loaded = <Module>(module: Promise<Module>, layerOf: (module: Module) => Store): Effect.Effect<Store> =>
  Effect.map(
    Effect.promise(() => module),
    layerOf
  )

/** The table's name stands in `CHECKPOINT_URL`; the rest of DynamoDB's variables are its own. */
const named = (table: string): Layer.Layer<never> =>
  ConfigProvider.layerAdd(ConfigProvider.fromEnv({ env: { CHECKPOINT_TABLE: table } }), { asPrimary: true })
