/**
 * What arrives at an on-failure destination: a document, wrapped as the way there wraps it, or word of an object that
 * holds one.
 *
 * **Details**
 *
 * An SQS body is the document itself; so is an SNS message with raw delivery. Without it SNS wraps the text as
 * `{"Type":"Notification","Message":"…"}`. A bucket tells of a new object through its notifications (`Records[].s3`, keys
 * URL-encoded) or through EventBridge (`detail.bucket`, `detail.object`, keys as they are); both may pass through SNS.
 *
 * @see https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
 * @since 0.1.0
 */
import * as Result from "effect/Result"

import * as FailureDocument from "./FailureDocument.ts"
import { malformed, notKinesis } from "./LambdaFailureError.ts"
import type { LambdaFailureError } from "./LambdaFailureError.ts"

/**
 * Where an object lies.
 *
 * @category models
 * @since 0.1.0
 */
export interface ObjectLocation {
  readonly bucket: string
  readonly key: string
}

/**
 * What a message says.
 *
 * @category models
 * @since 0.1.0
 */
export type FailureMessage =
  | { readonly _tag: "Document"; readonly document: FailureDocument.FailureDocument }
  | { readonly _tag: "Objects"; readonly objects: ReadonlyArray<ObjectLocation> }

type Read<A> = Result.Result<A, LambdaFailureError>

type Members = { readonly [member: string]: unknown }

/**
 * Reads the body of a message.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (body: string): Read<FailureMessage> =>
  Result.flatMap(FailureDocument.parseJson(body), (json) => fromJson(json, 2))

/** A bucket's notification through SNS is the deepest that AWS nests; a message that nests on is no message of AWS's. */
const fromJson = (json: unknown, wrappings: number): Read<FailureMessage> => {
  if (!FailureDocument.isObject(json) || "KinesisBatchInfo" in json) return document(json)
  if (json["Type"] === "Notification") return fromSns(json, wrappings)
  if (json["Event"] === "s3:TestEvent") return Result.fail(notKinesis("the test event of a bucket's notifications"))
  if (json["source"] === "aws.s3") return Result.map(fromEventBridge(json), (object) => objects([object]))
  if (Array.isArray(json["Records"])) return fromNotifications(json["Records"])
  return document(json)
}

const document = (json: unknown): Read<FailureMessage> =>
  Result.map(FailureDocument.fromJson(json), (read) => ({ _tag: "Document", document: read }))

const objects = (locations: ReadonlyArray<ObjectLocation>): FailureMessage => ({ _tag: "Objects", objects: locations })

const fromSns = (json: Members, wrappings: number): Read<FailureMessage> => {
  const { Message: message } = json
  if (typeof message !== "string") return Result.fail(malformed("Message", "Expected the text of an SNS notification"))
  if (wrappings === 0) return Result.fail(malformed("Message", "Expected a document, not one more SNS notification"))
  return Result.flatMap(FailureDocument.parseJson(message, "Message"), (inner) => fromJson(inner, wrappings - 1))
}

const fromEventBridge = (json: Members): Read<ObjectLocation> => {
  const bucket = text(json, "detail", "bucket", "name")
  const key = text(json, "detail", "object", "key")
  if (bucket === undefined) return Result.fail(malformed("detail.bucket.name", "Expected the name of a bucket"))
  if (key === undefined) return Result.fail(malformed("detail.object.key", "Expected the key of an object"))
  return Result.succeed({ bucket, key })
}

const fromNotifications = (records: ReadonlyArray<unknown>): Read<FailureMessage> =>
  records.length === 0
    ? Result.fail(notKinesis("`Records` is empty: neither an on-failure document nor word of an object"))
    : Result.map(all(records, fromNotification), objects)

const fromNotification = (record: unknown, index: number): Read<ObjectLocation> => {
  const at = `Records.${index}.s3`
  if (text(record, "s3", "s3SchemaVersion") === undefined && text(record, "s3", "bucket", "name") === undefined) {
    return Result.fail(notKinesis(`\`${at}\` is missing: neither an on-failure document nor word of an object`))
  }
  const bucket = text(record, "s3", "bucket", "name")
  const key = decoded(text(record, "s3", "object", "key"))
  if (bucket === undefined) return Result.fail(malformed(`${at}.bucket.name`, "Expected the name of a bucket"))
  if (key === undefined) return Result.fail(malformed(`${at}.object.key`, "Expected the URL-encoded key of an object"))
  return Result.succeed({ bucket, key })
}

/** Blanks come as `+`. */
const decoded = (key: string | undefined): string | undefined => {
  if (key === undefined) return undefined
  return Result.getOrUndefined(
    Result.try({ try: () => decodeURIComponent(key.replaceAll("+", " ")), catch: () => undefined })
  )
}

const text = (value: unknown, ...path: ReadonlyArray<string>): string | undefined => {
  const found = path.reduce<unknown>((at, member) => (FailureDocument.isObject(at) ? at[member] : undefined), value)
  return typeof found === "string" && found !== "" ? found : undefined
}

const all = <A>(values: ReadonlyArray<unknown>, read: (value: unknown, index: number) => Read<A>): Read<Array<A>> => {
  const found: Array<A> = []
  for (const [index, value] of values.entries()) {
    const one = read(value, index)
    if (Result.isFailure(one)) return Result.fail(one.failure)
    found.push(one.success)
  }
  return Result.succeed(found)
}
