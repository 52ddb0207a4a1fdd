import * as Delivery from "@leat/core/Delivery"
import * as Envelope from "@leat/core/Envelope"
import * as Event from "@leat/core/Event"
import type * as Journal from "@leat/core/Journal"
import * as Step from "@leat/core/Step"
import * as Worker from "@leat/core/Worker"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

import { times } from "../inTurn.ts"
import { listOf, randomOf, requestOf, topN } from "../workload.ts"

const Requested = Event.make("RecommendationsRequested", {
  payload: Schema.Struct({
    user_id: Schema.Int,
    top_n: Schema.Int,
    request_id: Schema.String,
    timestamp: Schema.String,
    client: Schema.String
  }),
  key: ({ user_id: user }) => `user-${user}`,
  id: ({ request_id: id }) => id
})

const Recommended = Event.make("Recommended", {
  payload: Schema.Struct({ user_id: Schema.Int, request_id: Schema.String, movies: Schema.Array(Schema.Int) }),
  key: ({ user_id: user }) => `user-${user}`,
  id: ({ request_id: id }) => id
})

const found = { source: "cache", age: 12 }

/** Does next to nothing: what is measured is the journal. One step and one emitted event a request. */
export const worker = Worker.make("recommendations", {
  events: [Requested],
  version: "1",
  handle: {
    *RecommendationsRequested(request, meta) {
      yield* Step.run(meta, "lookup", Exit.succeed(found))
      return Recommended.make(recommendedOf(request))
    }
  }
})

const recommendedOf = ({ request_id, user_id }: { readonly user_id: number; readonly request_id: string }) => ({
  user_id,
  request_id,
  movies: listOf(user_id, topN)
})

/** One request, as the worker gets it and as it would record it. */
export interface Request {
  readonly key: string
  readonly delivery: Delivery.Delivery
  readonly draft: Journal.Draft
}

/** Gives requests without end, of users in random order; any `distinct` in a row are of different ones. */
export const feed = (users: number, distinct: number): (() => Request) => {
  const random = randomOf(12_345)
  // The last ones given stand at the end, out of reach.
  const all = times(users).map((user) => user + 1)
  const free = users - distinct
  let given = 0
  return () => {
    const from = random(free)
    const to = free + (given % distinct)
    const user = all[from] ?? 0
    all[from] = all[to] ?? 0
    all[to] = user
    given += 1
    return make(user, given)
  }
}

const make = (user: number, number: number): Request => {
  const payload = { ...requestOf(user, number), client: "movies-web/4.2 (living room)" }
  const key = `user-${user}`
  const delivery = Delivery.make({
    partition: "shardId-000000000000",
    position: `495903382714902566085596925383615710959215759891${String(number).padStart(8, "0")}`,
    partitionKey: key,
    arrival: 1_761_300_000_123 + number,
    bytes: JSON.stringify(payload)
  })
  return { key, delivery, draft: draftOf(payload, delivery) }
}

/** What {@link worker} records; that the replays of `journal-scale` find nothing changed shows that it is the same. */
const draftOf = (
  request: { readonly user_id: number; readonly request_id: string },
  { arrival, bytes, partition, partitionKey, position }: Delivery.Delivery
): Journal.Draft => {
  const id = request.request_id
  const emitted = Envelope.make({
    id: `${id}/${worker.name}/0`,
    type: Recommended.tag,
    source: worker.name,
    key: partitionKey,
    correlationId: id,
    causationId: id,
    data: recommendedOf(request)
  })
  return {
    type: Requested.tag,
    id,
    source: { partition, position, partitionKey, arrival },
    bytes,
    outcome: { _tag: "Handled", emitted: [emitted] },
    attempts: 1,
    duration: 0.25,
    workerVersion: "1",
    steps: { lookup: { value: found } },
    resolves: undefined
  }
}
