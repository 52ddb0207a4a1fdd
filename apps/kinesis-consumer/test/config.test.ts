/** Each variable missing or wrong: the program ends before it calls anybody, in one line with its name and without secrets. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "http-server/src/Exit.ts"
import { vi } from "vitest"

import { program } from "../src/App.ts"
import * as Ending from "../src/Ending.ts"

type Environment = { readonly [name: string]: string | undefined }

const secret = "hunter2"

const good: Environment = {
  RECOMMENDER_ENDPOINT: "http://127.0.0.1:1",
  REDIS_ENABLED: "false",
  KINESIS_ENDPOINT: "http://127.0.0.1:1",
  CHECKPOINT_URL: "memory"
}

/** What is set, and what the line must name. */
const faults: ReadonlyArray<readonly [title: string, env: Environment, ...names: ReadonlyArray<string>]> = [
  ["no recommender", { RECOMMENDER_ENDPOINT: undefined }, "RECOMMENDER_ENDPOINT"],
  ["a recommender with a password", { RECOMMENDER_ENDPOINT: `http://u:${secret}@h` }, "RECOMMENDER_ENDPOINT"],
  ["no Redis", { REDIS_ENABLED: undefined }, "REDIS_ENDPOINT"],
  ["CACHE_TTL=0", { CACHE_TTL: "0" }, "CACHE_TTL"],
  ["TOP_N_MAX=many", { TOP_N_MAX: "many" }, "TOP_N_MAX"],
  ["KINESIS_ENDPOINT=here", { KINESIS_ENDPOINT: "here" }, "KINESIS_ENDPOINT"],
  ["no region and no endpoint", { KINESIS_ENDPOINT: undefined }, "AWS_REGION", "KINESIS_ENDPOINT"],
  ["an application that is no name", { CONSUMER_APPLICATION: "movie rec" }, "CONSUMER_APPLICATION", "letters"],
  ["CONSUMER_START=NOW", { CONSUMER_START: "NOW" }, "CONSUMER_START", "TRIM_HORIZON, LATEST"],
  ["a time without a zone", { CONSUMER_START: "2026-01-31T08:00:00" }, "CONSUMER_START"],
  ["a day that is none", { CONSUMER_START: "2026-13-45T08:00:00Z" }, "CONSUMER_START"],
  ["CONSUMER_FETCHER=lambda", { CONSUMER_FETCHER: "lambda" }, "CONSUMER_FETCHER", "fan-out"],
  ["CONSUMER_BATCH_SIZE=0", { CONSUMER_BATCH_SIZE: "0" }, "CONSUMER_BATCH_SIZE"],
  ["CONSUMER_BATCH_SIZE=1.5", { CONSUMER_BATCH_SIZE: "1.5" }, "CONSUMER_BATCH_SIZE"],
  ["CONSUMER_MAX_OPEN_RECORDS=-1", { CONSUMER_MAX_OPEN_RECORDS: "-1" }, "CONSUMER_MAX_OPEN_RECORDS"],
  ["CONSUMER_CHECKPOINT_INTERVAL=often", { CONSUMER_CHECKPOINT_INTERVAL: "often" }, "CONSUMER_CHECKPOINT_INTERVAL"],
  ["CONSUMER_POLL_INTERVAL=0 seconds", { CONSUMER_POLL_INTERVAL: "0 seconds" }, "CONSUMER_POLL_INTERVAL"],
  ["ON_UNORDERED=ignore", { ON_UNORDERED: "ignore" }, "ON_UNORDERED", "refuse"],
  ["HEALTH_PORT=65536", { HEALTH_PORT: "65536" }, "HEALTH_PORT"],
  ["nowhere for checkpoints", { CHECKPOINT_URL: undefined }, "CHECKPOINT_URL", "DATABASE_URL", "CHECKPOINT_URL=memory"],
  ["an empty CHECKPOINT_URL", { CHECKPOINT_URL: "" }, "CHECKPOINT_URL", "DATABASE_URL"],
  ["another kind of CHECKPOINT_URL", { CHECKPOINT_URL: `mysql://u:${secret}@h/d` }, "CHECKPOINT_URL", "dynamodb:TABLE"],
  ["a broken CHECKPOINT_URL", { CHECKPOINT_URL: `redis://u:${secret}@ho st` }, "CHECKPOINT_URL"],
  ["a table that is no name", { CHECKPOINT_URL: "dynamodb:a" }, "CHECKPOINT_URL"],
  [
    "a DynamoDB that is nowhere",
    { CHECKPOINT_URL: "dynamodb:checkpoints", DYNAMODB_ENDPOINT: "here" },
    "DYNAMODB_ENDPOINT"
  ],
  [
    "another kind of DATABASE_URL",
    { CHECKPOINT_URL: undefined, DATABASE_URL: `redis://u:${secret}@h` },
    "DATABASE_URL"
  ],
  ["SHARD_ASSIGNMENT=kafka", { SHARD_ASSIGNMENT: "kafka" }, "SHARD_ASSIGNMENT", "solo"],
  ["leases without a database", { CHECKPOINT_URL: "redis://h", SHARD_ASSIGNMENT: "postgres" }, "DATABASE_URL"],
  ["leases without a Redis", { CHECKPOINT_URL: "redis://h", SHARD_ASSIGNMENT: "redis" }, "REDIS_URL"],
  [
    "leases in a file",
    { CHECKPOINT_URL: "redis://h", SHARD_ASSIGNMENT: "postgres", DATABASE_URL: "sqlite:/tmp/leases" },
    "SHARD_ASSIGNMENT=postgres",
    "DATABASE_URL"
  ],
  [
    "several processes whose checkpoints are each one's own",
    { SHARD_ASSIGNMENT: "redis", REDIS_URL: `redis://u:${secret}@h` },
    "CHECKPOINT_URL=memory",
    "SHARD_ASSIGNMENT=redis"
  ]
]

/** The line that the program ends with. */
const lastLine = (env: Environment): Effect.Effect<string> =>
  Effect.gen(function* () {
    const said: Array<string> = []
    const spies = [
      vi.spyOn(console, "error").mockImplementation((...parts) => void said.push(parts.map(String).join(" "))),
      vi.spyOn(console, "log").mockImplementation(() => undefined)
    ]
    yield* Effect.addFinalizer(() => Effect.sync(() => spies.forEach((spy) => spy.mockRestore())))
    const set = Object.entries({ ...good, ...env }).filter((entry): entry is [string, string] => entry[1] !== undefined)
    yield* program.pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: Object.fromEntries(set) }))),
      Effect.tapCause((cause) => Exit.explain(cause, Ending.plain)),
      Effect.exit
    )
    assert.strictEqual(said.length, 1)
    return said[0] ?? ""
  }).pipe(Effect.scoped)

describe("the consumer's configuration", () => {
  for (const [title, env, ...names] of faults) {
    it.live(`${title}: ends the program in one line that names ${names.join(" and ")}`, () =>
      Effect.gen(function* () {
        const line = yield* lastLine(env)
        for (const name of names) assert.include(line, name)
        assert.notInclude(line, secret)
        assert.notInclude(line, "\n")
      })
    )
  }
})
