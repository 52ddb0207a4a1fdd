/**
 * Checkpoints in the database of the environment.
 *
 * | `DATABASE_URL`                                | checkpoints                                     |
 * | --------------------------------------------- | ----------------------------------------------- |
 * | `postgres://user:password@host:port/database` | {@link "./Postgres.ts"}                         |
 * | `sqlite:PATH` (also `file:PATH`)              | {@link "./Sqlite.ts"}                           |
 * | not set                                       | `withoutUrl`: this process's memory, or a file  |
 *
 * **Details**
 *
 * An implementation is imported when it is needed, so a program loads no driver that it doesn't use.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

import * as Checkpoint from "../Checkpoint.ts"

/**
 * Where the environment has the checkpoints.
 *
 * @category models
 * @since 0.1.0
 */
export type Address =
  | { readonly _tag: "Memory" }
  | { readonly _tag: "Sqlite"; readonly file: string }
  | { readonly _tag: "Postgres"; readonly url: Redacted.Redacted }

/**
 * What a missing `DATABASE_URL` means.
 *
 * @category models
 * @since 0.1.0
 */
export type WithoutUrl = "memory" | { readonly sqlite: string }

/**
 * Reads `DATABASE_URL`. A URL of another kind is refused without repeating it: it may hold a password.
 *
 * @category configs
 * @since 0.1.0
 */
export const address = (options: { readonly withoutUrl: WithoutUrl }): Config.Config<Address> =>
  Config.flatMap(Config.option(Config.Redacted("DATABASE_URL")), (found) => {
    const url = Option.filter(found, (secret) => Redacted.value(secret) !== "")
    if (Option.isSome(url)) return addressOf(url.value)
    const { withoutUrl } = options
    return Config.succeed<Address>(
      withoutUrl === "memory" ? { _tag: "Memory" } : { _tag: "Sqlite", file: withoutUrl.sqlite }
    )
  })

const addressOf = (url: Redacted.Redacted): Config.Config<Address> => {
  const text = Redacted.value(url)
  const file = /^(?:sqlite|file):(?:\/\/)?(.+)$/.exec(text)?.[1]
  if (file !== undefined) return Config.succeed({ _tag: "Sqlite", file })
  if (/^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text)) return Config.succeed({ _tag: "Postgres", url })
  return Config.fail(
    new ConfigProvider.SourceError({
      message:
        "DATABASE_URL is neither postgres://user:password@host:port/database nor sqlite:PATH (its value is not shown)"
    })
  )
}

/**
 * Checkpoints where `DATABASE_URL` says.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (options: {
  /** What a missing `DATABASE_URL` means: memory, which ends with the process, or a SQLite file. */
  readonly withoutUrl: WithoutUrl
}): Layer.Layer<Checkpoint.CheckpointStore, Config.ConfigError | Checkpoint.CheckpointError> =>
  Layer.unwrap(Effect.flatMap(address(options), layerOf))

const layerOf = (
  address: Address
): Effect.Effect<Layer.Layer<Checkpoint.CheckpointStore, Checkpoint.CheckpointError>> => {
  if (address._tag === "Memory") return Effect.succeed(Checkpoint.layerMemory)
  return address._tag === "Sqlite"
    ? Effect.map(
        Effect.promise(() => import("./Sqlite.ts")),
        ({ layer }) => layer({ file: address.file })
      )
    : Effect.map(
        Effect.promise(() => import("./Postgres.ts")),
        ({ layer }) => layer({ url: address.url })
      )
}
