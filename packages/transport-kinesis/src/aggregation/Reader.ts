/**
 * Reads an aggregate in one pass that checks everything and copies nothing.
 *
 * @since 0.1.0
 */
import type { Reading } from "../Aggregation.ts"
import { Aggregate, none } from "./Aggregate.ts"
import { Cursor } from "./Cursor.ts"
import { Fault } from "./Fault.ts"
import * as Frame from "./Frame.ts"
import * as Keys from "./Keys.ts"
import * as Message from "./Message.ts"

const plain: Reading = { _tag: "Plain" }

/**
 * Reads the data of a record.
 *
 * @category decoding
 * @since 0.1.0
 */
export const read = (bytes: Uint8Array): Reading => {
  const message = Frame.open(bytes)
  if (message === undefined) return plain
  try {
    return aggregate(message)
  } catch (error) {
    if (error instanceof Fault) return { _tag: "Malformed", reason: error.reason, message: error.message }
    throw error
  }
}

const aggregate = (message: Buffer): Aggregate => {
  const cursor = new Cursor(message)
  const partitionKeys: Array<number> = []
  const explicitHashKeys: Array<number> = []
  const fields: Array<number> = []
  let records = 0
  while (cursor.at < message.length) {
    const start = cursor.at
    const tag = cursor.varint()
    if (tag === Message.tags.record) {
      records = counted(records, "user records", start)
      record(cursor, fields)
    } else if (tag === Message.tags.partitionKey) key(cursor, partitionKeys)
    else if (tag === Message.tags.explicitHashKey) key(cursor, explicitHashKeys)
    else skip(cursor, tag, start, 3)
  }
  if (records === 0) throw new Fault("Missing", "it carries no user record", 0)
  checkIndexes(fields, partitionKeys.length / 2, explicitHashKeys.length / 2)
  return new Aggregate(message, Keys.read(message, partitionKeys), Keys.read(message, explicitHashKeys), fields)
}

const counted = (count: number, what: string, at: number): number => {
  if (count === Message.maxUserRecords) {
    throw new Fault("TooMany", `it carries more than ${Message.maxUserRecords} ${what}`, at)
  }
  return count + 1
}

/** Where a key begins and ends; what it says is read when all are found. */
const key = (cursor: Cursor, bounds: Array<number>): void => {
  counted(bounds.length / 2, "keys", cursor.at)
  const end = cursor.lengthPrefixed()
  bounds.push(cursor.at, end)
  cursor.at = end
}

/** A field that comes twice counts as it came last, by the rules of protocol buffers. */
const record = (cursor: Cursor, fields: Array<number>): void => {
  const start = cursor.at
  const end = cursor.lengthPrefixed()
  const { end: outer } = cursor
  cursor.end = end
  let partitionKey = none
  let explicitHashKey = none
  let from = none
  let to = none
  while (cursor.at < end) {
    const at = cursor.at
    const tag = cursor.varint()
    if (tag === Message.tags.partitionKeyIndex) partitionKey = cursor.varint()
    else if (tag === Message.tags.data) {
      to = cursor.lengthPrefixed()
      from = cursor.at
      cursor.at = to
    } else if (tag === Message.tags.explicitHashKeyIndex) explicitHashKey = cursor.varint()
    else skip(cursor, tag, at, 3)
  }
  if (partitionKey === none) throw new Fault("Missing", "a user record has no partition key", start)
  if (from === none) throw new Fault("Missing", "a user record has no data", start)
  fields.push(partitionKey, explicitHashKey, from, to)
  cursor.end = outer
}

const largestField = 2 ** 29 - 1

/** Tags, and what a later version may add; not what is one of the known fields, up to `known`, in another type. */
const skip = (cursor: Cursor, tag: number, start: number, known: number): void => {
  const field = Math.floor(tag / 8)
  if (field === 0 || field > largestField) throw new Fault("WireType", `a field has the number ${field}`, start)
  if (field <= known) throw new Fault("WireType", `field ${field} is written as type ${tag % 8}`, start)
  cursor.skip(tag % 8, start)
}

/** A table may stand behind the records that refer to it. */
const checkIndexes = (fields: ReadonlyArray<number>, partitionKeys: number, explicitHashKeys: number): void => {
  for (let at = 0; at < fields.length; at += 4) {
    if ((fields[at] ?? 0) >= partitionKeys) throw outside("partition key", fields[at], partitionKeys, fields[at + 2])
    if ((fields[at + 1] ?? 0) >= explicitHashKeys && fields[at + 1] !== none) {
      throw outside("explicit hash key", fields[at + 1], explicitHashKeys, fields[at + 2])
    }
  }
}

const outside = (what: string, index: number | undefined, size: number, at: number | undefined): Fault =>
  new Fault("Index", `a user record has ${what} ${index} of ${size}`, at ?? 0)
