import { assert, it } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as TransportSuite from "@leat/core/testing/TransportSuite"
import * as Worker from "@leat/core/Worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { describe } from "vitest"

import * as CloudEventsHttp from "../src/CloudEventsHttp.ts"
import * as HttpService from "../src/HttpService.ts"
import * as HttpTransport from "../src/HttpTransport.ts"

const Asked = Event.make("Asked", {
  payload: Schema.Struct({ user: Schema.Int, times: Schema.Int, id: Schema.String }),
  key: (payload) => `user-${payload.user}`,
  id: (payload) => payload.id
})

const Answered = Event.make("Answered", {
  payload: Schema.Struct({ user: Schema.Int, text: Schema.String }),
  key: (payload) => `user-${payload.user}`,
  id: () => "unused"
})

class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  retryable: Schema.Boolean,
  retryAfter: Schema.Finite
}) {}

const answering = Worker.make("answering", {
  events: [Asked],
  handle: {
    *Asked({ times, user }) {
      if (user === 500) yield* new Refused({ message: "hunter2", retryable: false, retryAfter: 0 })
      if (user === 503) yield* new Refused({ message: "hunter2", retryable: true, retryAfter: 2500 })
      if (user === 504) yield* Effect.never
      return Array.from({ length: times }, (_, i) => Answered.make({ user, text: `häh ${i}` }))
    }
  }
})

const started = (options: HttpTransport.Options = {}, journal = Journal.layerNone) =>
  Effect.map(
    Layer.build(
      HttpService.layer(HttpTransport.layer(answering, options), { port: 0 }).pipe(
        Layer.provide([journal, Logger.layer([])])
      )
    ),
    (context) => Context.get(context, HttpService.HttpService)
  )

const post = (
  service: HttpService.HttpService["Service"],
  body: unknown,
  headers: Record<string, string> = { "content-type": "application/json" }
) =>
  Effect.promise(async () => {
    const response = await fetch(`${service.url}/events`, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) }
  })

const structured = (data: unknown, id = "e1") => ({ specversion: "1.0", type: "Asked", source: "test", id, data })

const asked = (user: number, times = 1, id = "a1") => ({ user, times, id })

const structuredType = { "content-type": "application/cloudevents+json; charset=UTF-8" }
const batchedType = { "content-type": "application/cloudevents-batch+json" }

describe("a request", () => {
  it.live("of plain JSON is answered with the payload alone, its attributes in headers", () =>
    Effect.gen(function* () {
      const found = yield* post(yield* started(), asked(7))
      assert.strictEqual(found.status, 200)
      assert.strictEqual(found.text, '{"user":7,"text":"häh 0"}')
      assert.strictEqual(found.headers.get("ce-id"), "a1/answering/0")
      assert.strictEqual(found.headers.get("ce-type"), "Answered")
      assert.strictEqual(found.headers.get("ce-causationid"), "a1")
      assert.strictEqual(found.headers.get("ce-partitionkey"), "user-7")
    }).pipe(Effect.scoped)
  )

  it.live("in binary mode carries its attributes in headers, escaped, and its body is never one", () =>
    Effect.gen(function* () {
      const headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": "Asked",
        "ce-source": "test",
        "ce-id": "%C3%A4 1",
        "ce-data": "nothing",
        "ce-correlationid": "root"
      }
      const service = yield* started()
      const found = yield* post(service, asked(7), headers)
      assert.strictEqual(found.headers.get("ce-id"), "%C3%A4%201/answering/0")
      assert.strictEqual(found.headers.get("ce-correlationid"), "root")
      const injected = yield* post(service, `${JSON.stringify(asked(7))},"id":"other"`, headers)
      assert.strictEqual(injected.status, 422)
    }).pipe(Effect.scoped)
  )

  it.live("regression: is answered although its id has half a character, which no header can carry", () =>
    Effect.gen(function* () {
      const service = yield* started()
      const found = yield* post(service, { user: 1, times: 1, id: "\ud800" })
      assert.strictEqual(found.status, 200)
      assert.strictEqual(found.headers.get("ce-id"), "%EF%BF%BD/answering/0")
    })
  )

  it.live("in structured mode is answered in structured mode", () =>
    Effect.gen(function* () {
      const found = yield* post(yield* started(), structured(asked(7)), structuredType)
      assert.strictEqual(found.headers.get("content-type"), "application/cloudevents+json")
      assert.deepInclude(found.json, {
        specversion: "1.0",
        id: "e1/answering/0",
        type: "Answered",
        source: "answering"
      })
    }).pipe(Effect.scoped)
  )

  it.live("with a batch, or with several answers, is answered with a batch in order", () =>
    Effect.gen(function* () {
      const service = yield* started()
      const batch = yield* post(service, [structured(asked(7), "e1"), structured(asked(8), "e2")], batchedType)
      assert.strictEqual(batch.headers.get("content-type"), "application/cloudevents-batch+json")
      assert.deepStrictEqual(
        batch.json.map((one: { readonly id: string }) => one.id),
        ["e1/answering/0", "e2/answering/0"]
      )
      const several = yield* post(service, asked(7, 2))
      assert.deepStrictEqual(
        several.json.map((one: { readonly id: string }) => one.id),
        ["a1/answering/0", "a1/answering/1"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("that is handled without an answer, known, or empty is accepted", () =>
    Effect.gen(function* () {
      const service = yield* started({}, Journal.layerMemory)
      const first = yield* post(service, asked(7, 0))
      assert.deepStrictEqual([first.status, first.json], [202, { outcomes: ["handled"] }])
      const again = yield* post(service, asked(7, 0))
      assert.deepStrictEqual([again.status, again.json], [202, { outcomes: ["duplicate"] }])
      const empty = yield* post(service, [], batchedType)
      assert.deepStrictEqual([empty.status, empty.json], [202, { outcomes: [] }])
    }).pipe(Effect.scoped)
  )
})

describe("a request that can't be read", () => {
  const paths = (json: { readonly errors: ReadonlyArray<{ readonly path: ReadonlyArray<string> }> }) =>
    json.errors.map((one) => one.path.join("."))

  it.live("is 422 with the path of each fault, and nothing of it runs or parks", () =>
    Effect.gen(function* () {
      const service = yield* started({}, Journal.layerMemory)
      const plain = yield* post(service, { user: "7", times: 1.5 })
      assert.strictEqual(plain.status, 422)
      assert.strictEqual(plain.headers.get("content-type"), "application/problem+json")
      assert.deepStrictEqual(paths(plain.json), ["payload.user", "payload.times", "payload.id"])
      const batch = [structured(asked(9, 0, "b1"), "b1"), structured({}, "b2"), { specversion: "0.3" }]
      const mixed = yield* post(service, batch, batchedType)
      assert.deepStrictEqual(
        [...new Set(paths(mixed.json))],
        ["payload.1.user", "payload.1.times", "payload.1.id", "payload.2"]
      )
      const alone = yield* post(service, [batch[0]], batchedType)
      assert.deepStrictEqual(alone.json, { outcomes: ["handled"] })
    }).pipe(Effect.scoped)
  )

  it.live("is 422 for what is no JSON, no batch or an unknown event, 415 for another type, 413 for too many", () =>
    Effect.gen(function* () {
      const service = yield* started({ maxEvents: 1 })
      for (const [body, headers, status] of [
        ["{nope", undefined, 422],
        ["", undefined, 422],
        ["[1", batchedType, 422],
        ["{}", batchedType, 422],
        [JSON.stringify({ ...structured({}), type: "Nothing" }), structuredType, 422],
        ["{}", { "content-type": "text/plain" }, 415],
        ["[1,2]", batchedType, 413]
      ] as const) {
        const found = yield* post(service, body, headers)
        assert.strictEqual(found.status, status)
        assert.strictEqual(found.headers.get("content-type"), "application/problem+json")
      }
    }).pipe(Effect.scoped)
  )

  it("regression: of too many events is refused before they are written again, which took a second a megabyte", () => {
    const found = CloudEventsHttp.read(batchedType, Buffer.from("[1,1]"), 1)
    assert.deepStrictEqual(found, new CloudEventsHttp.Unreadable(413, "2 events, the limit is 1"))
  })
})

describe("a failure", () => {
  it.live("for now is 503 with the wait the dependency asked for", () =>
    Effect.gen(function* () {
      const found = yield* post(yield* started(), asked(503))
      assert.strictEqual(found.status, 503)
      assert.strictEqual(found.headers.get("retry-after"), "3")
      assert.notInclude(found.text, "hunter2")
    }).pipe(Effect.scoped)
  )

  it.live("for good is 500 and says nothing of itself", () =>
    Effect.gen(function* () {
      const found = yield* post(yield* started(), asked(500))
      assert.strictEqual(found.status, 500)
      assert.notInclude(found.text, "hunter2")
    }).pipe(Effect.scoped)
  )

  it.live("in a batch names who failed, and a second try runs only what was not settled", () =>
    Effect.gen(function* () {
      const service = yield* started({}, Journal.layerMemory)
      const batch = [
        structured(asked(1, 0, "x"), "x"),
        structured(asked(503, 0, "y"), "y"),
        structured(asked(503, 0, "z"), "z")
      ]
      const found = yield* post(service, batch, batchedType)
      assert.strictEqual(found.status, 503)
      assert.deepStrictEqual(found.json.errors, [
        { path: ["payload", 1], message: "failed" },
        { path: ["payload", 2], message: "not started" }
      ])
      const again = yield* post(service, [batch[0]], batchedType)
      assert.deepStrictEqual(again.json, { outcomes: ["duplicate"] })
    }).pipe(Effect.scoped)
  )

  it.live("to be done before the deadline is 503", () =>
    Effect.gen(function* () {
      const found = yield* post(yield* started({ timeout: "600 millis" }), asked(504))
      assert.strictEqual(found.status, 503)
    }).pipe(Effect.scoped)
  )
})

// The sender of the suite waits for each answer, as a sender must that wants its order kept.
TransportSuite.suite(
  "HTTP",
  (worker, layer, records) =>
    Effect.gen(function* () {
      const built = yield* Layer.build(
        HttpService.layer(HttpTransport.layer(worker), { port: 0 }).pipe(Layer.provide([layer, Logger.layer([])]))
      )
      const { url } = Context.get(built, HttpService.HttpService)
      for (const { bytes } of records) {
        yield* Effect.promise(() =>
          fetch(`${url}/events`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: new TextDecoder().decode(bytes)
          })
        )
      }
    }).pipe(Effect.scoped),
  HttpTransport.promises,
  { faults: true }
)
