/**
 * Where the documents of failures wait: the contract of `lambdaFailure/Sqs.ts` and `lambdaFailure/S3.ts`.
 *
 * **Guarantees.** A letter stays where it is until it is acknowledged: what was never acknowledged is there again for the
 * next reading. Within one reading a letter is given once. What can't be read is given as such, and never removed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"

import type { FailureDestinationError } from "./FailureDestinationError.ts"
import * as FailureDocument from "./FailureDocument.ts"
import * as FailureMessage from "./FailureMessage.ts"
import { LambdaFailureError } from "./LambdaFailureError.ts"

/**
 * A message or an object, and what it holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Letter {
  /** Id of the message or key of the object. */
  readonly id: string
  /** Usually one; a notification may tell of several objects. */
  readonly documents: Result.Result<ReadonlyArray<FailureDocument.FailureDocument>, LambdaFailureError>
  /** Takes it out of the source: all of its records are settled. */
  readonly acknowledge: Effect.Effect<void, FailureDestinationError>
}

/**
 * The next letters, at most `size` of them; none when nothing is left.
 *
 * @category models
 * @since 0.1.0
 */
export type Next = (size: number) => Effect.Effect<ReadonlyArray<Letter>, FailureDestinationError>

/**
 * A place to take letters from. Whoever opens it reads alone: of two readings of a bucket both get every object.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailureSource {
  /** Begins a reading; letters that are not acknowledged go back when the scope closes. */
  readonly open: Effect.Effect<Next, FailureDestinationError, Scope.Scope>
}

/**
 * Reads the object that a message points at.
 *
 * @category models
 * @since 0.1.0
 */
export type ReadObject = (location: FailureMessage.ObjectLocation) => Effect.Effect<string, FailureDestinationError>

/**
 * The documents of a message, the objects that it points at included.
 *
 * **Details**
 *
 * Fails where an object can't be read *now*: what follows on its shard would overtake it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const documentsOf = (
  body: string,
  readObject?: ReadObject
): Effect.Effect<Letter["documents"], FailureDestinationError> => {
  const message = FailureMessage.parse(body)
  if (Result.isFailure(message)) return Effect.succeed(Result.fail(message.failure))
  if (message.success._tag === "Document") return Effect.succeed(Result.succeed([message.success.document]))
  return Effect.forEach(message.success.objects, (location) => resolve(location, readObject)).pipe(
    Effect.map((documents): Letter["documents"] => Result.succeed(documents)),
    Effect.catchTag("LambdaFailureError", (error) => Effect.succeed<Letter["documents"]>(Result.fail(error)))
  )
}

const resolve = (location: FailureMessage.ObjectLocation, readObject: ReadObject | undefined) => {
  const name = `s3://${location.bucket}/${location.key}`
  if (readObject === undefined) {
    const mend = "say how objects are read, such as `objects: S3.objects()`"
    return Effect.fail(unresolved(`the message points at ${name}: ${mend}`))
  }
  return readObject(location).pipe(
    Effect.catchIf(
      (error) => !error.retryable,
      (error) => Effect.fail(unresolved(`${name}: ${error.message}`, error))
    ),
    Effect.flatMap((text) =>
      Effect.fromResult(Result.flatMap(FailureDocument.parseJson(text), FailureDocument.fromJson))
    )
  )
}

const unresolved = (message: string, cause?: FailureDestinationError): LambdaFailureError =>
  new LambdaFailureError({
    reason: "Unresolved",
    member: "",
    message,
    retryable: false,
    ...(cause === undefined ? {} : { cause })
  })

/**
 * Letters in memory, by id: bodies as a queue or a bucket holds them. For tests, and for documents copied out by hand.
 *
 * **Details**
 *
 * `letters` is the source itself: acknowledging takes out of it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const memory = (letters: Map<string, string>, objects?: ReadObject): FailureSource => ({
  open: Effect.sync((): Next => {
    const given = new Set<string>()
    return Effect.fnUntraced(function* (size: number) {
      const next = [...letters].filter(([id]) => !given.has(id)).slice(0, size)
      for (const [id] of next) given.add(id)
      return yield* Effect.forEach(next, ([id, body]) =>
        Effect.map(documentsOf(body, objects), (documents): Letter => ({
          id,
          documents,
          acknowledge: Effect.sync(() => void letters.delete(id))
        }))
      )
    })
  })
})
