/** Each variable missing or wrong: the invocation is rejected with its name and without its secrets, and the next one is not. */
import { assert, describe, it } from "@effect/vitest"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { App } from "../src/App.ts"
import * as Function from "./Function.ts"
import * as Lambda from "./Lambda.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as Requests from "./Requests.ts"

type Environment = { readonly [name: string]: string | undefined }

const good: Environment = { RECOMMENDER_ENDPOINT: "http://127.0.0.1:1", REDIS_ENABLED: "false" }
const withRedis: Environment = { ...good, REDIS_ENABLED: undefined, REDIS_ENDPOINT: "127.0.0.1" }

const secret = "hunter2"

interface Fault {
  readonly title: string
  readonly env: Environment
  /** Each of these must be named. */
  readonly names: ReadonlyArray<string>
}

const faults: ReadonlyArray<Fault> = [
  { title: "no recommender", env: { ...good, RECOMMENDER_ENDPOINT: undefined }, names: ["RECOMMENDER_ENDPOINT"] },
  { title: "an empty recommender", env: { ...good, RECOMMENDER_ENDPOINT: "" }, names: ["RECOMMENDER_ENDPOINT"] },
  {
    title: "a recommender that is no URL",
    env: { ...good, RECOMMENDER_ENDPOINT: "127.0.0.1:8082" },
    names: ["RECOMMENDER_ENDPOINT"]
  },
  {
    title: "a recommender of another protocol",
    env: { ...good, RECOMMENDER_ENDPOINT: "ftp://host" },
    names: ["RECOMMENDER_ENDPOINT"]
  },
  {
    title: "a recommender with a password",
    env: { ...good, RECOMMENDER_ENDPOINT: `http://user:${secret}@host` },
    names: ["RECOMMENDER_ENDPOINT"]
  },
  {
    title: "a broken recommender with a password",
    env: { ...good, RECOMMENDER_ENDPOINT: `http://user:${secret}@ho st:99999` },
    names: ["RECOMMENDER_ENDPOINT"]
  },
  {
    title: "an alias with a password",
    env: { ...good, RECOMMENDER_ENDPOINT: undefined, FASTAPI_ENDPOINT: `http://user:${secret}@host` },
    names: ["FASTAPI_ENDPOINT"]
  },
  {
    title: "an alias that contradicts its name",
    env: { ...good, FASTAPI_ENDPOINT: "http://127.0.0.1:2" },
    names: ["RECOMMENDER_ENDPOINT", "FASTAPI_ENDPOINT"]
  },
  { title: "no Redis", env: { ...good, REDIS_ENABLED: undefined }, names: ["REDIS_ENDPOINT"] },
  { title: "no Redis, though enabled", env: { ...good, REDIS_ENABLED: "true" }, names: ["REDIS_ENDPOINT"] },
  { title: "REDIS_ENABLED=perhaps", env: { ...good, REDIS_ENABLED: "perhaps" }, names: ["REDIS_ENABLED"] },
  {
    title: "a broken Redis endpoint with a password",
    env: { ...withRedis, REDIS_ENDPOINT: `http://:${secret}@host` },
    names: ["REDIS_ENDPOINT"]
  },
  {
    title: "another broken Redis endpoint with a password",
    env: { ...withRedis, REDIS_ENDPOINT: `redis://:${secret}@ho st` },
    names: ["REDIS_ENDPOINT"]
  },
  { title: "REDIS_PORT=abc", env: { ...withRedis, REDIS_PORT: "abc" }, names: ["REDIS_PORT"] },
  { title: "REDIS_PORT=0", env: { ...withRedis, REDIS_PORT: "0" }, names: ["REDIS_PORT"] },
  { title: "REDIS_PORT=65536", env: { ...withRedis, REDIS_PORT: "65536" }, names: ["REDIS_PORT"] },
  {
    title: "a REDIS_PORT that contradicts the endpoint's",
    env: { ...withRedis, REDIS_ENDPOINT: `redis://:${secret}@127.0.0.1:1`, REDIS_PORT: "2" },
    names: ["REDIS_PORT"]
  },
  { title: "REDIS_TIMEOUT=soon", env: { ...withRedis, REDIS_TIMEOUT: "soon" }, names: ["REDIS_TIMEOUT"] },
  { title: "CACHE_TTL=abc", env: { ...good, CACHE_TTL: "abc" }, names: ["CACHE_TTL"] },
  { title: "CACHE_TTL=1.5", env: { ...good, CACHE_TTL: "1.5" }, names: ["CACHE_TTL"] },
  { title: "TOP_N_MAX=0", env: { ...good, TOP_N_MAX: "0" }, names: ["TOP_N_MAX"] },
  { title: "TOP_N_MAX=many", env: { ...good, TOP_N_MAX: "many" }, names: ["TOP_N_MAX"] },
  { title: "TOP_N_MAX=1001", env: { ...good, TOP_N_MAX: "1001" }, names: ["TOP_N_MAX"] },
  { title: "TOP_N_DEFAULT=0", env: { ...good, TOP_N_DEFAULT: "0" }, names: ["TOP_N_DEFAULT"] },
  { title: "CACHE_TTL=0", env: { ...good, CACHE_TTL: "0" }, names: ["CACHE_TTL"] },
  { title: "CACHE_TTL=-1", env: { ...good, CACHE_TTL: "-1" }, names: ["CACHE_TTL"] },
  {
    title: "a TOP_N_DEFAULT above TOP_N_MAX",
    env: { ...good, TOP_N_DEFAULT: "50", TOP_N_MAX: "10" },
    names: ["TOP_N_DEFAULT", "TOP_N_MAX"]
  }
]

const set = (env: Environment): { readonly [name: string]: string } =>
  Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))

/** The function whose environment a test may change, as a new configuration does for the next cold start. */
const function_ = (first: Environment) =>
  Effect.gen(function* () {
    const state = { env: first }
    const provider = ConfigProvider.layer(Effect.sync(() => ConfigProvider.fromEnv({ env: set(state.env) })))
    const lambda = yield* Effect.acquireRelease(
      Effect.sync(() => KinesisLambda.make(recommendations, Layer.provide(App, provider))),
      (made) => Effect.promise(made.close)
    )
    return { state, lambda }
  })

const record = Requests.event([Requests.of(1, "one")])

const rejection = (lambda: KinesisLambda.KinesisLambda) =>
  Effect.promise(async () => {
    try {
      await lambda(record, LambdaEvent.context())
      return undefined
    } catch (error) {
      return error as Error
    }
  })

/** All that a log of this error could show. */
const everything = (error: Error): string =>
  `${error.stack} ${JSON.stringify(error)} ${String(error.cause)} ${error.message}`

describe("the function's configuration", () => {
  for (const { env, names, title } of faults) {
    it.live(`${title}: names ${names.join(" and ")}, shows no secret, and works once it is mended`, () =>
      Effect.gen(function* () {
        const printed = yield* Function.silence
        const recommender = yield* RecommenderStub.start
        const { lambda, state } = yield* function_(env)
        for (let attempt = 0; attempt < 2; attempt++) {
          const error = (yield* rejection(lambda)) ?? assert.fail("the invocation was not rejected")
          for (const name of names) assert.include(error.message, name)
          assert.notInclude(everything(error), secret)
        }
        assert.notInclude(printed(), secret)
        state.env = { ...good, RECOMMENDER_ENDPOINT: recommender.url }
        assert.isUndefined(yield* rejection(lambda))
        assert.strictEqual(recommender.calls.length, 1)
      }).pipe(Effect.scoped)
    )
  }

  it.live("takes the alias alone, or beside a name that says the same", () =>
    Effect.gen(function* () {
      yield* Function.silence
      const { url } = yield* RecommenderStub.start
      for (const env of [
        { ...good, RECOMMENDER_ENDPOINT: undefined, FASTAPI_ENDPOINT: url },
        { ...good, RECOMMENDER_ENDPOINT: url, FASTAPI_ENDPOINT: `${url}/` }
      ]) {
        const { lambda } = yield* function_(env)
        assert.isUndefined(yield* rejection(lambda))
      }
    }).pipe(Effect.scoped)
  )

  it.live("TOP_N_MAX bounds what a request may ask for", () =>
    Effect.gen(function* () {
      const { url } = yield* RecommenderStub.start
      const made = yield* Function.make({ env: set({ ...good, RECOMMENDER_ENDPOINT: url, TOP_N_MAX: "5" }) })
      const event = Requests.event([
        Requests.of(1, "fits", 5),
        Requests.of(2, "too-many", 6),
        Requests.request({ request_id: "default" })
      ])
      assert.strictEqual(yield* Function.invoke(made, event), Requests.number(1))
      assert.deepStrictEqual(
        made.served().map((one) => [one.request_id, one.top_n]),
        [
          ["fits", 5],
          ["default", 5]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

describe("under the runtime client", () => {
  it.live("a wrong variable rejects the invocation, not the start, with its name and without secrets in the log", () =>
    Effect.gen(function* () {
      const lambda = yield* Lambda.start({
        RECOMMENDER_ENDPOINT: `http://user:${secret}@host`,
        REDIS_ENDPOINT: `redis://:${secret}@127.0.0.1:1`
      })
      for (let attempt = 0; attempt < 2; attempt++) {
        const error = yield* Effect.flip(lambda.invoke(record))
        assert.strictEqual(error.reason, "Function")
        assert.include(error.message, "RECOMMENDER_ENDPOINT")
        assert.notInclude(`${error.message} ${error.trace.join("\n")}`, secret)
      }
      assert.notInclude(lambda.printed(), secret)
      assert.strictEqual(lambda.pids().length, 1)
    }).pipe(Effect.scoped)
  )
})
