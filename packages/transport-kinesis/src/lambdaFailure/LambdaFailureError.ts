/**
 * Why a message of an on-failure destination can't be redriven, in one closed list.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A message that names no records of a Kinesis stream, or a redrive that can't be run as it was asked for.
 *
 * **Details**
 *
 * `NotJson`: the text is no JSON. `Malformed`: a member is missing or of another type; `member` is its path. `NotKinesis`:
 * a document of something else, such as a DynamoDB stream, an asynchronous invocation, or the test event of a bucket.
 * `Unresolved`: the message points at an object that could not be read. `Option`: `member` is an option of the redrive's.
 *
 * @category errors
 * @since 0.1.0
 */
export class LambdaFailureError extends Schema.TaggedError<LambdaFailureError>()("LambdaFailureError", {
  reason: Schema.Literals(["NotJson", "Malformed", "NotKinesis", "Unresolved", "Option"]),
  /** Path of the member at fault, such as `KinesisBatchInfo.shardId`; `""` for the message as a whole. */
  member: Schema.String,
  message: Schema.String,
  /** Never: the message itself has to be mended, or what reads it. */
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * A member is not what it should be.
 *
 * @category constructors
 * @since 0.1.0
 */
export const malformed = (member: string, message: string): LambdaFailureError =>
  new LambdaFailureError({ reason: "Malformed", member, message: `\`${member}\`: ${message}`, retryable: false })

/**
 * Something else than a document of a Kinesis stream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notKinesis = (message: string): LambdaFailureError =>
  new LambdaFailureError({ reason: "NotKinesis", member: "", message, retryable: false })

/**
 * An option of a redrive is out of its bounds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const badOption = (member: string, value: number, allowed: string): LambdaFailureError =>
  new LambdaFailureError({
    reason: "Option",
    member,
    message: `\`${member}\` is ${value}: ${allowed}`,
    retryable: false
  })
