/** What `npm start` does: starts the system, sends it a burst, prints what came of it, and stays. */
import { randomUUID } from "node:crypto"

import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as HttpService from "@leat/transport-http/HttpService"
import * as KinesisPublisher from "@leat/transport-kinesis/KinesisPublisher"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as Burst from "./Burst.ts"
import { Lambda, stream } from "./Lambda.ts"
import * as Progress from "./Progress.ts"
import * as Report from "./Report.ts"
import type { Settings } from "./Settings.ts"

/** Not every request was served. */
export class NotServed extends Schema.TaggedError<NotServed>()("NotServed", {
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/** What ends the program and needs no trace. */
export const plain = (error: unknown): string | undefined => {
  if (error instanceof NotServed) return error.message
  return error instanceof EmbeddedKinesis.EmbeddedKinesisError && error.reason === "Listen"
    ? `configuration: the stream can't listen (KINESIS_PORT): ${error.message}`
    : undefined
}

/** Runs in the system; ends after the burst when asked to, else when it is interrupted. */
export const run = Effect.fnUntraced(function* (settings: Settings) {
  yield* Console.log(`a burst of ${settings.requests} requests by ${settings.users} users`)
  const totals = yield* burst(settings)
  yield* Console.log(`\n${Report.table(totals)}\n`)
  if (settings.once) return yield* judge(totals)
  yield* Console.log(yield* addresses)
  const lambda = yield* Lambda
  return yield* Effect.raceFirst(lambda.join, watch)
})

const burst = Effect.fnUntraced(function* (settings: Settings) {
  const lambda = yield* Lambda
  const { codec } = yield* RequestEvents.RequestEvents
  const startedAt = yield* Clock.currentTimeMillis
  let accepted = 0
  yield* Effect.scoped(
    Effect.gen(function* () {
      const publisher = yield* KinesisPublisher.make({ stream, codec })
      yield* Progress.draw(() => `published ${accepted}, served ${lambda.served()}`)
      yield* Burst.publish(publisher, settings, (now) => (accepted = now))
      yield* lambda.drained
      yield* settled(lambda, accepted)
    })
  )
  const served = lambda.take()
  return {
    requested: settings.requests,
    served,
    failed: settings.requests - Report.count(served),
    elapsed: (yield* Clock.currentTimeMillis) - startedAt
  }
})

/** The last metrics may still be on their way out of the Lambda's thread. */
const settled = (lambda: Lambda["Service"], accepted: number) =>
  Effect.suspend(() =>
    lambda.served() + lambda.failed() >= accepted ? Effect.succeed(true) : Effect.as(Effect.sleep(20), false)
  ).pipe(Effect.repeat({ until: (done) => done }), Effect.timeoutOption("2 seconds"))

const judge = ({ failed, requested }: Report.Totals): Effect.Effect<void, NotServed> =>
  failed === 0
    ? Effect.void
    : Effect.fail(new NotServed({ message: `${failed} of ${requested} requests were not served`, retryable: false }))

const addresses = Effect.gen(function* () {
  const { url } = yield* HttpService.HttpService
  const { endpoint } = yield* EmbeddedKinesis.EmbeddedKinesis
  // A name of its own each time: the journal remembers, and the same again would be a duplicate.
  const id = `test-${randomUUID().slice(0, 8)}`
  const record = `{"user_id":123,"top_n":20,"request_id":"${id}","timestamp":"2025-10-24T10:30:00Z"}`
  return `open
  ${url}/recommend/cached/123?top_n=20
  ${url}/internal/recommend/123
  ${url}/users/123/history, ${url}/requests/${id} once it was sent:
    curl -i ${url}/requests -H 'content-type: application/json' -d '{"user_id":123,"request_id":"${id}"}'
  ${url}/docs, ${url}/openapi.json, ${url}/health, ${url}/ready
  ${endpoint}, the stream ${stream}:
    aws kinesis put-record --endpoint-url ${endpoint} --stream-name ${stream} --partition-key user-123 \\
      --cli-binary-format raw-in-base64-out --data '${record}'

Ctrl-C ends it.`
})

/** Tells what is served after the burst. */
const watch = Effect.gen(function* () {
  const lambda = yield* Lambda
  while (true) {
    yield* Effect.sleep("200 millis")
    const fresh = lambda.take()
    if (Report.count(fresh) === 0) continue
    const slowest = fresh.Hit.concat(fresh.Miss).reduce((most, one) => Math.max(most, one), 0)
    yield* Console.log(
      `served ${Report.count(fresh)} (hit ${fresh.Hit.length}, miss ${fresh.Miss.length}) in ${slowest.toFixed(2)} ms`
    )
  }
})
