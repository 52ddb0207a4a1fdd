/**
 * The records of a Lambda event as deliveries: what `deliveries.ts` is for records of the API.
 */
import type { Delivery } from "@leat/core/Delivery"

import * as Aggregation from "../Aggregation.ts"
import type { LambdaRecord } from "../LambdaEvent.ts"
import * as Deliveries from "./deliveries.ts"

/**
 * One loop without an allocation of its own: on the path of hits this is what the transport costs. Records of one batch
 * are of one shard, so its name is cut out of an id once.
 */
export const fromRecords = (
  records: ReadonlyArray<LambdaRecord>,
  parallelizationFactor: number
): ReadonlyArray<Delivery> => {
  const deliveries: Array<Delivery> = []
  let shard = shardOf(records[0]?.eventID ?? "")
  let arn = records[0]?.eventSourceARN
  let partition = partitionOf(arn, shard)
  for (const record of records) {
    if (!isOf(record.eventID, shard) || record.eventSourceARN !== arn) {
      shard = shardOf(record.eventID)
      arn = record.eventSourceARN
      partition = partitionOf(arn, shard)
    }
    const outer = toDelivery(record, partition)
    if (Aggregation.hasMagic(outer.bytes)) pushParts(deliveries, outer, parallelizationFactor)
    else deliveries.push(outer)
  }
  return deliveries
}

const toDelivery = (record: LambdaRecord, partition: string): Delivery => {
  const { approximateArrivalTimestamp, data, partitionKey, sequenceNumber } = record.kinesis
  const bytes = typeof data === "string" ? Buffer.from(data, "base64") : nothing
  return {
    partition,
    position: sequenceNumber,
    partitionKey,
    attempt: 1,
    arrival: approximateArrivalTimestamp * 1_000,
    bytes,
    fault: faultOf(data, bytes)
  }
}

const nothing = new Uint8Array()

const pushParts = (deliveries: Array<Delivery>, outer: Delivery, parallelizationFactor: number): void => {
  const reading = outer.fault === undefined ? Aggregation.read(outer.bytes) : plain
  if (reading._tag !== "Aggregate") deliveries.push(Deliveries.single(outer, reading))
  else if (parallelizationFactor > 1 && !isOfOneKey(reading, outer.partitionKey)) {
    deliveries.push({ ...outer, fault: sideBySide })
  } else {
    for (let index = 0; index < reading.length; index++) deliveries.push(Deliveries.part(outer, reading, index))
  }
}

const plain: Aggregation.Plain = { _tag: "Plain" }

/** Lambda's lanes go by the outer partition key, so an aggregate of that key alone is in the right one. */
const isOfOneKey = (aggregate: Aggregation.Aggregate, partitionKey: string): boolean => {
  for (let index = 0; index < aggregate.length; index++) {
    if (aggregate.partitionKey(index) !== partitionKey) return false
  }
  return true
}

const sideBySide =
  "an aggregate of several partition keys behind a ParallelizationFactor above 1: records of one key would be handled " +
  "side by side; set the factor to 1, or aggregate by partition key, or publish without aggregation"

const colon = 0x3a

const isOf = (eventID: string, shard: string): boolean =>
  eventID.startsWith(shard) && (eventID.length === shard.length || eventID.charCodeAt(shard.length) === colon)

const shardOf = (eventID: string): string => {
  const end = eventID.indexOf(":")
  return end === -1 ? eventID : eventID.slice(0, end)
}

/** Of the ARN of a stream or of one of its consumers, `arn:aws:kinesis:…:stream/orders/consumer/…`, its name counts. */
const partitionOf = (arn: string | undefined, shard: string): string =>
  Deliveries.partitionOf(arn?.split("/")[1] ?? "", shard)

/** `Buffer` skips what is not base64, so text that yields fewer bytes than its length asks for was none. */
const faultOf = (data: unknown, bytes: Uint8Array): string | undefined => {
  if (typeof data !== "string") return "`kinesis.data` is not a string"
  const { length } = data
  const padding = data.charCodeAt(length - 1) !== equals ? 0 : data.charCodeAt(length - 2) === equals ? 2 : 1
  return length % 4 !== 0 || bytes.length !== (length / 4) * 3 - padding ? "`kinesis.data` is not base64" : undefined
}

const equals = 0x3d
