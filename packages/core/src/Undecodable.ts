/**
 * Why a delivery could not be read: a value, not a throw.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

/**
 * One fault in a payload and where it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

/**
 * A delivery that can't be read.
 *
 * **Details**
 *
 * `NewerVersion` is apart from the rest: today's program is too old for it, tomorrow's will read it.
 *
 * @category models
 * @since 0.1.0
 */
export class Undecodable {
  readonly reason: "Invalid" | "TooLarge" | "UnknownEvent" | "NewerVersion"
  readonly message: string
  readonly faults: ReadonlyArray<Fault>

  constructor(reason: Undecodable["reason"], message: string, faults: ReadonlyArray<Fault> = []) {
    this.reason = reason
    this.message = message
    this.faults = faults
  }
}

/**
 * The bytes are not what they should be.
 *
 * @category constructors
 * @since 0.1.0
 */
export const invalid = (message: string): Undecodable => new Undecodable("Invalid", message)

/**
 * A record of `bytes` bytes, where `limit` are read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tooLarge = (bytes: number, limit: number): Undecodable =>
  new Undecodable("TooLarge", `the record has ${bytes} bytes, the limit is ${limit}`)

/**
 * An event that none of the worker's handlers takes; `known` are those that one does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unknownEvent = (type: string, known: ReadonlyArray<string>): Undecodable =>
  new Undecodable(
    "UnknownEvent",
    `no handler for the event ${JSON.stringify(type.slice(0, 128))}; known: ${known.join(", ")}`
  )

/**
 * A payload of a version that this program does not know yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const newerVersion = (tag: string, version: number, current: number): Undecodable =>
  new Undecodable(
    "NewerVersion",
    `${tag} has version ${version}, this program knows up to ${current}: deploy the newer one`
  )

/**
 * A payload of an old version that nothing lifts to today's.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noUpcaster = (tag: string, version: number): Undecodable =>
  invalid(`${tag} has version ${version} and no upcaster leads from there`)

const issues = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * A payload that breaks its schema, with a fault for each issue and its path.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromSchemaError = (error: Schema.SchemaError): Undecodable =>
  new Undecodable(
    "Invalid",
    error.message,
    issues(error.issue).issues.map((issue) => ({
      path: (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part)),
      message: issue.message
    }))
  )
