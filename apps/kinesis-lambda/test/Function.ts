/** The function in this process, so that a test sees what it published, and to whom it gave what it could not serve. */
import * as DeadLetterSink from "@leat/core/DeadLetterSink"
import type * as Envelope from "@leat/core/Envelope"
import * as Publisher from "@leat/core/Publisher"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { vi } from "vitest"

import { App } from "../src/App.ts"

export interface Served {
  readonly request_id: string
  readonly user_id: number
  readonly top_n: number
  readonly recommendations: ReadonlyArray<number>
  readonly source: string
}

export interface Function {
  readonly lambda: KinesisLambda.KinesisLambda
  /** What was served so far, in order: the events that it published. */
  readonly served: () => ReadonlyArray<Served>
  readonly letters: ReadonlyArray<DeadLetterSink.DeadLetter>
  /** What it printed, by any way out. */
  readonly printed: () => string
}

interface Options {
  readonly env: { readonly [name: string]: string }
  /** Whether there is a dead-letter sink. */
  readonly sink?: boolean
}

export const make = ({ env, sink = false }: Options) =>
  Effect.gen(function* () {
    const printed = yield* silence
    const published: Array<Envelope.Envelope> = []
    const letters: Array<DeadLetterSink.DeadLetter> = []
    const layer = Layer.mergeAll(
      App,
      Publisher.layerMemory(published),
      sink ? DeadLetterSink.layerMemory(letters) : Layer.empty
    ).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
    const lambda = yield* Effect.acquireRelease(
      Effect.sync(() => KinesisLambda.make(recommendations, layer)),
      (made) => Effect.promise(made.close)
    )
    const made: Function = {
      lambda,
      served: () => published.map((envelope) => envelope.data as Served),
      letters,
      printed
    }
    return made
  })

export const silence = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      let text = ""
      const keep = (...parts: ReadonlyArray<unknown>) => {
        text += `${parts.map(String).join(" ")}\n`
        return true
      }
      const spies = [
        vi.spyOn(process.stdout, "write").mockImplementation((chunk) => keep(chunk)),
        vi.spyOn(console, "log").mockImplementation(keep)
      ]
      return { spies, printed: () => text }
    }),
    ({ spies }) => Effect.sync(() => spies.forEach((spy) => spy.mockRestore()))
  ),
  ({ printed }) => printed
)

/** Invokes it once; gives the sequence number that it reported, if any. */
export const invoke = (made: Function, event: LambdaEvent.LambdaEvent, remaining = 30_000) =>
  Effect.map(
    Effect.promise(() => made.lambda(event, LambdaEvent.context({ remaining }))),
    ({ batchItemFailures }) => {
      if (batchItemFailures.length > 1) throw new Error("more than the lowest number was reported")
      return batchItemFailures[0]?.itemIdentifier
    }
  )

/** The index in the event from which everything comes again; the event's length when nothing does. */
export const resumesAt = (event: LambdaEvent.LambdaEvent, reported: string | undefined): number =>
  reported === undefined
    ? event.Records.length
    : event.Records.findIndex((record) => record.kinesis.sequenceNumber === reported)
