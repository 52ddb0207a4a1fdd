/**
 * One call to Kinesis: it ends in time, and what broke off is no answer.
 */
import type * as Sdk from "@aws-sdk/client-kinesis"
import * as Effect from "effect/Effect"

import * as KinesisError from "../KinesisError.ts"
import * as NoAnswer from "./NoAnswer.ts"

type Run<A> = (client: Sdk.KinesisClient, abort: { readonly abortSignal: AbortSignal }) => Promise<A>

type With<A, Member extends keyof A> = A & { readonly [Key in Member]-?: NonNullable<A[Key]> }

/** Makes calls. `within` is in milliseconds. */
export interface Call {
  /** A call whose answer says nothing but that it was heard. */
  readonly tell: <A>(operation: string, run: Run<A>) => Effect.Effect<void, KinesisError.KinesisError>
  /** A call whose answer has a member always. */
  readonly ask: <Member extends string, A extends { readonly [Key in Member]?: unknown }>(
    operation: string,
    member: Member,
    run: Run<A>
  ) => Effect.Effect<With<A, Member>, KinesisError.KinesisError>
  readonly within: number
}

export const make = (sdk: Sdk.KinesisClient, within: number): Call => {
  markBreaks(sdk)
  dropLogging(sdk)
  const call = <A>(operation: string, run: Run<A>) =>
    Effect.tryPromise({
      try: (abortSignal) => run(sdk, { abortSignal }),
      catch: (cause) => KinesisError.fromThrown(operation, cause)
    }).pipe(inTime(operation, within))
  return {
    tell: (operation, run) => Effect.asVoid(call(operation, run)),
    ask: (operation, member, run) =>
      Effect.flatMap(call(operation, run), (answer) =>
        hasMember(answer, member)
          ? Effect.succeed(answer)
          : Effect.fail(KinesisError.noAnswer(operation, `the answer has no ${member}: it broke off`))
      ),
    within
  }
}

/** The SDK's timeouts start anew with each byte, and don't run while it hands over the body. */
export const inTime =
  (operation: string, within: number) =>
  <A>(self: Effect.Effect<A, KinesisError.KinesisError>): Effect.Effect<A, KinesisError.KinesisError> =>
    Effect.timeoutOrElse(self, {
      duration: within,
      orElse: () => Effect.fail(KinesisError.noAnswer(operation, `no answer within ${within} ms`))
    })

/**
 * A stream of HTTP/2 that is reset behind the head of its answer ends like one that is complete, and the SDK makes an
 * answer without members of nothing: a `GetRecords` like that would be the end of its shard.
 */
const hasMember = <Member extends string, A extends { readonly [Key in Member]?: unknown }>(
  answer: A,
  member: Member
): answer is With<A, Member> => answer[member] !== undefined

/** Behind all else that the SDK does, so that nothing but the connection is heard. */
const markBreaks = (sdk: Sdk.KinesisClient): void =>
  sdk.middlewareStack.add(
    (next) => (args) =>
      next(args).catch((cause: unknown) => {
        NoAnswer.mark(cause)
        throw cause
      }),
    { step: "deserialize", priority: "low", name: "leatMarkBreaks", override: true }
  )

/**
 * The SDK's own log of calls: nobody hears it, as we set no logger, but up to @aws-sdk/core 3.981.0 each record of each
 * input and output was copied for it, a twentieth of what a reader costs (`bench consumer`).
 */
const dropLogging = (sdk: Sdk.KinesisClient): void => void sdk.middlewareStack.remove("loggerMiddleware")
