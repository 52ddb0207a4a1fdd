/**
 * A worker served at a path: CloudEvents (binary, structured, batched) or plain JSON in, what its handlers returned out.
 *
 * **Promises**
 *
 * - One request is one batch of a partition of its own. What is not settled does *not* come again by itself: the answer says
 *   so and the sender tries again. With a journal a second try of what was settled is a duplicate, not a second run.
 * - A sender that waits for each answer, or sends one batch, keeps the order of its keys. Requests side by side have no
 *   order among them, but never run one key at the same time.
 * - A request that goes away interrupts what it began.
 *
 * | outcome                                        | answer                                                            |
 * | ---------------------------------------------- | ----------------------------------------------------------------- |
 * | handled, with events returned                  | 200, the events as CloudEvents                                    |
 * | a duplicate, with a journal                    | what the first try was answered, under the same ids               |
 * | handled without, skipped or parked             | 202, the outcomes, with the links of `statusOf`                   |
 * | can't be read                                  | 422 naming each fault; nothing of the request ran, nothing parked |
 * | failed for now, or not started                 | 503 with Retry-After                                              |
 * | failed for good                                | 500 without the reason, which is logged                           |
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Codec from "@leat/core/Codec"
import * as Deadline from "@leat/core/Deadline"
import * as Delivery from "@leat/core/Delivery"
import type * as Journal from "@leat/core/Journal"
import type * as Transport from "@leat/core/Transport"
import type * as Worker from "@leat/core/Worker"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"

import * as CloudEventsHttp from "./CloudEventsHttp.ts"
import * as Answer from "./httpTransport/Answer.ts"
import * as Reading from "./httpTransport/Reading.ts"
import * as Problem from "./Problem.ts"

/**
 * What this transport promises.
 *
 * @category constants
 * @since 0.1.0
 */
export const promises: Transport.Promises = { redelivers: false, ordersKeys: true, countsAttempts: false }

/**
 * Options of a served worker.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default `/events`. */
  readonly path?: HttpRouter.PathInput | undefined
  /**
   * Reads the events of every mode, CloudEvents too: for bounds that are the deployment's and not the event's. It must know
   * CloudEvents. Default: CloudEvents as they are, plain JSON as the program's codec or the worker's says.
   */
  readonly codec?: Codec.Codec | undefined
  /** The deadline of a request. Default 10 s. */
  readonly timeout?: Duration.Input | undefined
  /** The most events in a batch. Default 1000. */
  readonly maxEvents?: number | undefined
  /** Where a sender asks later what became of an event, by its id: a path for 202 answers. Default: none. */
  readonly statusOf?: ((id: string) => string) | undefined
}

/**
 * Serves a worker: a route for `HttpService.layer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(
  worker: Worker.Worker<R>,
  options: Options = {}
): Layer.Layer<
  never,
  never,
  R | Journal.Journal | HttpRouter.HttpRouter | HttpRouter.Request<"Error", HttpServerError.HttpServerError>
> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const context = yield* Effect.context<R | Journal.Journal>()
      const router = yield* HttpRouter.HttpRouter
      // TypeScript does not see that `Exclude<R | Journal, R | Journal>` is empty while R is open.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const serve = Effect.provideContext(handler(worker, options, yield* Codec.Wire), context) as Handler
      yield* router.add("POST", options.path ?? "/events", serve)
    })
  )

type Handler = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  HttpServerError.HttpServerError,
  HttpServerRequest.HttpServerRequest
>

const handler = <R>(
  worker: Worker.Worker<R>,
  options: Options,
  wire: Codec.Codec | undefined
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  HttpServerError.HttpServerError,
  R | Journal.Journal | HttpServerRequest.HttpServerRequest
> => {
  const next = counter()
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const body = new Uint8Array(yield* request.arrayBuffer)
    const message = CloudEventsHttp.read(request.headers, body, options.maxEvents ?? 1000)
    if (message instanceof CloudEventsHttp.Unreadable) {
      return Problem.response(message.status, { detail: message.message })
    }
    const codec = Reading.codecOf(message.mode, options.codec, wire ?? worker.codec)
    const partition = next()
    const arrival = yield* Clock.currentTimeMillis
    const batch = message.events.map((bytes, i) => Delivery.make({ partition, position: String(i), arrival, bytes }))
    const readings = batch.map((delivery) => Reading.read(delivery, codec, worker.events))
    const faults = Reading.faultsOf(readings)
    if (faults.length > 0) return Answer.undecodable(faults)
    return yield* worker.process(batch, { codec }).pipe(
      Deadline.within(options.timeout ?? "10 seconds"),
      Deadline.within(Deadline.fromHeader(request.headers[Deadline.header]) ?? Infinity),
      Effect.flatMap((result) => Answer.of(worker.name, message.mode, result, readings, options.statusOf)),
      Effect.catchTag("JournalError", Answer.journalFailed)
    )
  })
}

// Positions are unique over processes and restarts; 36 characters of randomness a request would be 1 µs and no gain.
const counter = (): (() => string) => {
  const process = randomUUID()
  let count = 0
  return () => `http/${process}/${count++}`
}
