/** The real program as a child process, and the stream, in this process, that it reads. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

import * as Requests from "../../kinesis-lambda/test/Requests.ts"

export interface Program {
  readonly child: ChildProcess
  readonly said: () => string
  /** Exit code; -1 where a signal ended it. */
  readonly ended: Effect.Effect<number>
}

/** Half of a start is reading TypeScript: of what was read once Node keeps the result, by content. */
export const compiled = { NODE_COMPILE_CACHE: join(tmpdir(), "leat-compile-cache") }

export const start = (env: { readonly [name: string]: string }): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Program => {
      const main = join(import.meta.dirname, "../src/main.ts")
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
        env: {
          PATH: process.env["PATH"],
          REDIS_ENABLED: "false",
          CONSUMER_POLL_INTERVAL: "100 millis",
          ...compiled,
          ...env
        }
      })
      const said: Array<string> = []
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said.push(String(chunk)))
      const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)))
      return { child, said: () => said.join(""), ended: Effect.promise(() => ended) }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Waits until it is so. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), Effect.sync(holds)), { until: (so) => so }))

/** A stream of two shards, and how requests of these users get onto it. */
export const stream = (options: Pick<EmbeddedKinesis.Options, "faults"> = {}) =>
  Effect.gen(function* () {
    const streams = [{ name: "movie-rec-requests", shards: 2 }]
    const services = yield* Layer.build(EmbeddedKinesis.layer({ streams, ...options }))
    const { endpoint } = Context.get(services, EmbeddedKinesis.EmbeddedKinesis)
    const client = Context.get(yield* Layer.build(KinesisClient.layer({ endpoint })), KinesisClient.KinesisClient)
    const put = (...users: ReadonlyArray<number>) =>
      client.putRecords(
        "movie-rec-requests",
        users.map((user) => ({
          partitionKey: `user-${user}`,
          data: new TextEncoder().encode(Requests.of(user, `request-of-${user}`))
        }))
      )
    return { endpoint, put }
  })
