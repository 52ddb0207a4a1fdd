/**
 * What every HTTP service of ours has around its routes: `/health`, `/ready`, `/openapi.json`, `/docs`, limits, problem
 * details for every error, and an end without a lost request.
 *
 * **Promises**
 *
 * - Every answer of 400 or more is `application/problem+json` (RFC 9457), also what node:http refuses by itself; it holds no
 *   stack and no message of an unexpected error, those go to the log.
 * - When its scope closes (SIGTERM under `NodeRuntime.runMain`), `/ready` turns 503, the listener closes after `drainDelay`,
 *   requests in flight finish, and after `drainTimeout` the rest is cut.
 * - Probes are answered also when the service is over its limit.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as ByteSize from "effect/ByteSize"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as OpenApi from "effect/http-api/OpenApi"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as DocsPage from "./httpService/DocsPage.ts"
import * as Guard from "./httpService/Guard.ts"
import * as Listener from "./httpService/Listener.ts"
import * as Methods from "./httpService/Methods.ts"
import * as Readiness from "./httpService/Readiness.ts"

/**
 * Options of a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<R = never> extends Bounds {
  /** Default `127.0.0.1`: reachable from this machine alone. */
  readonly host?: string | undefined
  /** Default 8082; 0 takes a free one. */
  readonly port?: number | undefined
  /** What `/ready` asks. Default: nothing, ready while it runs. */
  readonly checks?: Readiness.Checks<R> | undefined
  /** What `/ready` shows without needing it: a cache that is down makes a service slower, not useless. */
  readonly watched?: Readiness.Checks<R> | undefined
  /** Time of each check. Default 1 s. */
  readonly checkTimeout?: Duration.Input | undefined
  /** Served at `/openapi.json` and rendered at `/docs`. Default: neither. */
  readonly openApi?: OpenApi.OpenAPISpec | undefined
}

/**
 * Limits of a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  /** Largest body in bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Longest URL in characters. Default 4096. */
  readonly maxUrlLength?: number | undefined
  /** Requests at work at once; more are answered 503 with Retry-After. Default 1000. */
  readonly maxConcurrent?: number | undefined
  /** What `Retry-After` says when over the limit, in whole seconds. Default 1 s. */
  readonly retryAfter?: Duration.Input | undefined
  /** Time for the headers of a request. Default 10 s. */
  readonly headersTimeout?: Duration.Input | undefined
  /** Time for a whole request to arrive. Default 30 s. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How long an idle connection stays open. Default 65 s, above the 60 s of AWS load balancers. */
  readonly keepAliveTimeout?: Duration.Input | undefined
  /** How long the listener stays open after `/ready` turned 503. Default 0; set it above the probe interval. */
  readonly drainDelay?: Duration.Input | undefined
  /** How long requests in flight may take at the end. Default 20 s. */
  readonly drainTimeout?: Duration.Input | undefined
}

/**
 * A running service.
 *
 * @category services
 * @since 0.1.0
 */
export class HttpService extends Context.Service<
  HttpService,
  {
    readonly url: string
    readonly port: number
    /** Requests at work now. */
    readonly inFlight: () => number
    readonly draining: () => boolean
  }
>()("@leat/transport-http/HttpService") {}

type Asked<R> = HttpRouter.Request.Without<R> | HttpRouter.Request.Only<"Requires" | "GlobalRequires", R>

type Given = HttpRouter.HttpRouter | HttpRouter.GlobalProvided | Layer.Success<typeof NodeHttpServer.layerHttpServices>

/**
 * Serves routes.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <A, E, R, RC = never>(
  routes: Layer.Layer<A, E, R>,
  options: Options<RC> = {}
): Layer.Layer<HttpService | A, E | HttpServerError.ServeError, Exclude<Asked<R> | RC, Given>> =>
  // The router erases what its routes ask of a request; `Asked` reads it from their layer, as `HttpRouter.serve` does.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  Layer.effectContext(serve(routes, options)) as Layer.Layer<
    HttpService | A,
    E | HttpServerError.ServeError,
    Exclude<Asked<R> | RC, Given>
  >

/**
 * Serves routes at `HOST` (127.0.0.1) and `PORT` (8082).
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = <A, E, R, RC = never>(
  routes: Layer.Layer<A, E, R>,
  options: Options<RC> = {}
): Layer.Layer<HttpService | A, E | HttpServerError.ServeError | Config.ConfigError, Exclude<Asked<R> | RC, Given>> =>
  Layer.unwrap(Effect.map(address, (found) => layer(routes, { ...options, ...found })))

/**
 * `HOST` and `PORT`.
 *
 * @category config
 * @since 0.1.0
 */
export const address: Config.Config<{ readonly host: string; readonly port: number }> = Config.all({
  host: Config.NonEmptyString("HOST").pipe(Config.withDefault("127.0.0.1")),
  // `Config.Port` has no 0, and 0 is how a test or a second instance asks for a free one.
  port: Config.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 })), "PORT").pipe(
    Config.withDefault(8082)
  )
})

const serve = Effect.fnUntraced(function* <A, E, R, RC>(routes: Layer.Layer<A, E, R>, options: Options<RC>) {
  const state: Guard.State = { inFlight: 0, draining: false }
  const limits = limitsOf(options)
  // A long path parameter is the route's to judge; the router's own bound of 100 would make it a 404.
  const router = Effect.provideService(HttpRouter.make, HttpRouter.RouterConfig, {
    maxParamLength: limits.maxUrlLength
  })
  const methods = Methods.remember(yield* router)
  yield* own(methods.router, state, options)
  const built = yield* Layer.build(
    Layer.provide(routes, [Layer.succeed(HttpRouter.HttpRouter, methods.router), NodeHttpServer.layerHttpServices])
  )
  const timeouts = timeoutsOf(options)
  const listener = Listener.make(timeouts)
  const host = options.host ?? "127.0.0.1"
  const server = yield* NodeHttpServer.make(() => listener.server, {
    host,
    port: options.port ?? 8082,
    disablePreemptiveShutdown: true
  })
  // @effect-diagnostics-next-line anyUnknownInErrorContext:off -- the guard turns every failure into an answer
  const guarded = Guard.make(methods.router.asHttpEffect(), { state, limits, methodsOf: methods.of })
  yield* Effect.provideService(
    server.serve(guarded),
    HttpIncomingMessage.MaxBodySize,
    ByteSize.bytes(limits.maxBodyBytes)
  )
  yield* Effect.addFinalizer(() => Listener.drain(listener, state, timeouts))
  const port = portOf(listener.server.address())
  return Context.add(built, HttpService, {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    inFlight: () => state.inFlight,
    draining: () => state.draining
  })
})

const portOf = (found: ReturnType<Listener.Listener["server"]["address"]>): number =>
  found !== null && typeof found === "object" ? found.port : 0

const limitsOf = (options: Bounds): Guard.Limits => ({
  maxBodyBytes: options.maxBodyBytes ?? 1024 * 1024,
  maxUrlLength: options.maxUrlLength ?? 4096,
  maxConcurrent: options.maxConcurrent ?? 1000,
  retryAfterSeconds: Math.ceil(Duration.toSeconds(options.retryAfter ?? "1 second"))
})

const timeoutsOf = (options: Bounds): Listener.Timeouts => ({
  headers: Duration.fromInputUnsafe(options.headersTimeout ?? "10 seconds"),
  request: Duration.fromInputUnsafe(options.requestTimeout ?? "30 seconds"),
  keepAlive: Duration.fromInputUnsafe(options.keepAliveTimeout ?? "65 seconds"),
  drain: Duration.fromInputUnsafe(options.drainTimeout ?? "20 seconds"),
  drainDelay: Duration.fromInputUnsafe(options.drainDelay ?? 0)
})

const own = <RC>(router: HttpRouter.HttpRouter, state: Guard.State, options: Options<RC>) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<RC>()
    const readiness = Readiness.check(
      { needed: options.checks ?? {}, watched: options.watched ?? {} },
      options.checkTimeout ?? "1 second"
    ).pipe(Effect.provideContext(context))
    yield* router.add("GET", "/health", HttpServerResponse.jsonUnsafe({ status: "ok" }))
    yield* router.add(
      "GET",
      "/ready",
      Effect.suspend(() => (state.draining ? Effect.succeed(draining) : readiness)).pipe(Effect.map(answer))
    )
    if (options.openApi === undefined) return
    yield* router.add("GET", "/openapi.json", HttpServerResponse.jsonUnsafe(options.openApi))
    yield* router.add("GET", "/docs", DocsPage.response(options.openApi))
  })

const draining: Readiness.Readiness = { status: "draining", checks: {} }

const answer = (found: Readiness.Readiness): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(found, {
    status: found.status === "ready" ? 200 : 503,
    headers: { "cache-control": "no-store" }
  })
