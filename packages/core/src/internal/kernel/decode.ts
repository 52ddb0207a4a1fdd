import * as Result from "effect/Result"

import type { Codec } from "../../Codec.ts"
import type { Delivery } from "../../Delivery.ts"
import type { Envelope } from "../../Envelope.ts"
import * as Undecodable from "../../Undecodable.ts"
import type { BatchRun } from "./BatchRun.ts"
import { Work } from "./BatchRun.ts"

/** Reads every delivery and gives it its lane. One plain loop, no effect: decoding is most of a hit's cost. */
export const decode = (run: BatchRun, codec: Codec): void => {
  for (let index = 0; index < run.batch.length; index++) {
    const delivery = run.batch[index]
    if (delivery !== undefined) run.works.push(decodeOne(run, index, delivery, codec))
  }
}

const decodeOne = (run: BatchRun, index: number, delivery: Delivery, codec: Codec): Work => {
  if (delivery.fault !== undefined) return bad(run, index, delivery, Undecodable.invalid(delivery.fault))
  try {
    const envelope = codec.decode(delivery.bytes, delivery.version)
    if (envelope instanceof Undecodable.Undecodable) return bad(run, index, delivery, envelope)
    return readEnvelope(run, index, delivery, envelope)
  } catch (error) {
    // A codec, a key or an id function of the user's threw: this record is at fault, the batch is not.
    return bad(run, index, delivery, Undecodable.invalid(`reading the record threw: ${String(error)}`))
  }
}

const readEnvelope = (run: BatchRun, index: number, delivery: Delivery, envelope: Envelope): Work => {
  const known = run.definition.events.get(envelope.type)
  if (known === undefined) {
    return bad(run, index, delivery, Undecodable.unknownEvent(envelope.type, [...run.definition.events.keys()]))
  }
  const { event } = known
  const decoded = event.decode(envelope.data, envelope.version)
  if (Result.isFailure(decoded)) {
    const partitionKey = envelope.key ?? delivery.partitionKey
    const holds = decoded.failure.reason === "NewerVersion" && partitionKey !== ""
    return bad(run, index, delivery, decoded.failure, holds ? event.keyOf(partitionKey) : undefined)
  }
  const payload = decoded.success
  if (delivery.partitionKey !== "" && event.partitionKey(payload) !== delivery.partitionKey) {
    run.mismatchedKeys += 1
    if (run.environment.refuseMismatch) return bad(run, index, delivery, mismatch(event.partitionKey(payload)))
  }
  const id = envelope.id ?? event.id(payload)
  return new Work(run, run.lane(event.key(payload)), index, id, known, payload, envelope)
}

const mismatch = (expected: string) =>
  Undecodable.invalid(`the partition key must be ${JSON.stringify(expected)} for order across partitions`)

/** What can't be read has a lane of its own; what tomorrow's program can read holds the lane of its key. */
const bad = (
  run: BatchRun,
  index: number,
  delivery: Delivery,
  undecodable: Undecodable.Undecodable,
  key?: string
): Work => {
  const own = `${delivery.partition}/${delivery.position}`
  run.undecodable += 1
  return new Work(run, run.lane(key ?? own), index, own, undecodable, undefined, undefined)
}
