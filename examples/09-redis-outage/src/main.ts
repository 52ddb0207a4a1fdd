/** A Redis outage, watched from outside: what the service answers while its cache dies, then its recommender too. */
import * as HttpService from "@leat/transport-http/HttpService"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"

import { RedisServer } from "../../../scripts/redis-server.ts"
import { films } from "./Films.ts"
import * as Service from "./Service.ts"

const say = (line: string) => Effect.sync(() => console.log(line))

const logs = Logger.layer([
  Logger.make(({ message }) => {
    const text = String(message)
    if (text.includes("Redis")) console.log(`  log: ${text.replace(/ \(.*\)/, "").replace(/:\d+/, "")}`)
  })
])

const watch = (redis: RedisServer) =>
  Effect.gen(function* () {
    const { url } = yield* HttpService.HttpService
    const ask = (...users: ReadonlyArray<number>) => Effect.forEach(users, (user) => Service.ask(url, user))
    yield* say("all is well")
    yield* ask(1, 1, 2)

    yield* say("Redis is killed")
    yield* Effect.promise(() => redis.kill())
    yield* Effect.sleep("300 millis")
    yield* ask(1, 2, 3)

    yield* say("the recommender is down too")
    films.open = false
    yield* ask(1, 3, 4)

    yield* say("both are back")
    films.open = true
    const again = yield* Effect.promise(() => RedisServer.start({ port: redis.port }))
    // What Redis missed is made up for meanwhile.
    yield* Effect.sleep("3500 millis")
    yield* ask(3, 4, 4)
    yield* Effect.addFinalizer(() => Effect.promise(() => again.stop()))
  })

const main = Effect.gen(function* () {
  const redis = yield* Effect.promise(() => RedisServer.start())
  yield* Effect.provide(watch(redis), Service.layer(redis.port))
})
await Effect.runPromise(main.pipe(Effect.scoped, Effect.provide(logs)))
process.exit(0)
