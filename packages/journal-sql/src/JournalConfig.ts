/**
 * Where the journal is, from the environment.
 *
 * | variable            | default     |                                                                                     |
 * | ------------------- | ----------- | ----------------------------------------------------------------------------------- |
 * | `DATABASE_URL`      | `withoutUrl` | `postgres://user:password@host:port/database`, or `sqlite:PATH` (also `file:PATH`) |
 * | `JOURNAL_NAMESPACE` | `default`   | keeps tenants apart that share a database                                           |
 *
 * **Details**
 *
 * The implementation is imported when it is needed, so a program that keeps no journal loads neither.
 *
 * @since 0.1.0
 */
import * as Journal from "@leat/core/Journal"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/**
 * What a missing `DATABASE_URL` means: no journal, or a SQLite file.
 *
 * @category models
 * @since 0.1.0
 */
export type WithoutUrl = "none" | { readonly sqlite: string }

/**
 * What the environment says of the journal.
 *
 * @category models
 * @since 0.1.0
 */
export type JournalAddress =
  | { readonly _tag: "None" }
  | { readonly _tag: "Sqlite"; readonly file: string; readonly namespace: string }
  | { readonly _tag: "Postgres"; readonly url: Redacted.Redacted; readonly namespace: string }

/** An empty variable is one that is not set, as compose files have them. */
const unlessEmpty = <A>(config: Config.Config<A>, isEmpty: (value: A) => boolean): Config.Config<A | undefined> =>
  Config.map(Config.option(config), (found) => Option.getOrUndefined(Option.filter(found, (value) => !isEmpty(value))))

const url = unlessEmpty(Config.Redacted("DATABASE_URL"), (secret) => Redacted.value(secret) === "")

const namespace = unlessEmpty(Config.String("JOURNAL_NAMESPACE"), (name) => name === "")

/**
 * Reads the variables above. A URL of another kind is refused without repeating it: it may hold a password.
 *
 * @category configs
 * @since 0.1.0
 */
export const address = (options: { readonly withoutUrl: WithoutUrl }): Config.Config<JournalAddress> =>
  Config.flatMap(Config.all({ url, namespace }), ({ namespace = "default", url }) => {
    if (url !== undefined) return addressOf(url, namespace)
    const { withoutUrl } = options
    return Config.succeed<JournalAddress>(
      withoutUrl === "none" ? { _tag: "None" } : { _tag: "Sqlite", file: withoutUrl.sqlite, namespace }
    )
  })

const addressOf = (url: Redacted.Redacted, namespace: string): Config.Config<JournalAddress> => {
  const text = Redacted.value(url)
  const file = /^(?:sqlite|file):(?:\/\/)?(.+)$/.exec(text)?.[1]
  if (file !== undefined) return Config.succeed({ _tag: "Sqlite", file, namespace })
  if (/^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text)) {
    return Config.succeed({ _tag: "Postgres", url, namespace })
  }
  return Config.fail(
    new ConfigProvider.SourceError({
      message:
        "DATABASE_URL is neither postgres://user:password@host:port/database nor sqlite:PATH (its value is not shown)"
    })
  )
}

/**
 * The journal of the environment.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (options: {
  /** What a missing `DATABASE_URL` means: `none` keeps no journal, a path keeps it there. */
  readonly withoutUrl: WithoutUrl
}): Layer.Layer<Journal.Journal, Config.ConfigError | Journal.JournalError> =>
  Layer.unwrap(Effect.flatMap(address(options), layerOf))

const layerOf = (address: JournalAddress): Effect.Effect<Layer.Layer<Journal.Journal, Journal.JournalError>> => {
  if (address._tag === "None") return Effect.succeed(Journal.layerNone)
  return address._tag === "Sqlite"
    ? Effect.map(
        Effect.promise(() => import("./SqliteJournal.ts")),
        ({ layer }) => layer(address)
      )
    : Effect.map(
        Effect.promise(() => import("./PostgresJournal.ts")),
        ({ layer }) => layer(address)
      )
}
