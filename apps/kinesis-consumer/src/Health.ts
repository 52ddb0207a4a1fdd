/** Tells an orchestrator that the consumer runs: `GET /health` and `/ready` at `HEALTH_PORT`, if that is set. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const port = Config.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 })), "HEALTH_PORT")

/** `HEALTH_PORT` and, for who asks from another machine, `HEALTH_HOST`. */
export const settings = Config.all({
  port: Config.option(port),
  host: Config.withDefault(Config.NonEmptyString("HEALTH_HOST"), "127.0.0.1")
})

/**
 * A consumer that failed ends its program, so what answers is ready; on its way out it says 503. The server is loaded for
 * those who ask for it alone.
 */
export const layerConfig: Layer.Layer<never, HttpServerError.ServeError | Config.ConfigError> = Layer.unwrap(
  Effect.flatMap(settings, ({ host, port }) =>
    Option.isNone(port) ? Effect.succeed(Layer.empty) : Effect.promise(() => serve(host, port.value))
  )
)

const serve = async (host: string, port: number): Promise<Layer.Layer<never, HttpServerError.ServeError>> => {
  const { HttpService, layer } = await import("@leat/transport-http/HttpService")
  const announce = Effect.flatMap(HttpService, ({ url }) => Effect.logInfo(`health at ${url}/health`))
  return Layer.effectDiscard(announce).pipe(Layer.provide(layer(Layer.empty, { host, port })))
}
