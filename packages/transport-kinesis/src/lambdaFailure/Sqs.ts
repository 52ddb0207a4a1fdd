/**
 * An SQS queue as an on-failure destination: its documents to redrive, and the sending half for the local mapping.
 *
 * **Guarantees.** A message is deleted when it is acknowledged, and never otherwise. While a reading lasts, the messages it
 * took stay invisible: their visibility timeout is extended every third of it. What was not acknowledged is visible again
 * when the reading ends; after a crash, when the timeout is over.
 *
 * **Gotchas.** Every reading counts as a receive: with a redrive policy on the queue, `maxReceiveCount` failed redrives
 * move a message on. SQS keeps a message invisible for 12 hours at most and has at most 120 000 of a queue in flight.
 * `@aws-sdk/client-sqs` must be installed.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
 * @since 0.1.0
 */
import * as Sdk from "@aws-sdk/client-sqs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

import * as OnFailureDestination from "../eventSourceMapping/OnFailureDestination.ts"
import * as AwsClient from "./AwsClient.ts"
import { invalid } from "./FailureDestinationError.ts"
import type { FailureDestinationError } from "./FailureDestinationError.ts"
import { documentsOf } from "./FailureSource.ts"
import type { FailureSource, Letter, Next, ReadObject } from "./FailureSource.ts"

/**
 * A queue.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueOptions extends AwsClient.Options {
  readonly queueUrl: string
}

/**
 * A queue to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends QueueOptions {
  /** How long a message stays invisible after a crash. It is extended while the redrive lasts. Default 5 minutes. */
  readonly visibilityTimeout?: Duration.Input | undefined
  /** How long a receive waits for messages, up to 20 seconds; 0 may overlook some. Default 1 second. */
  readonly wait?: Duration.Input | undefined
  /** Reads objects that messages point at (a bucket's notifications), such as `S3.objects()`. Default: they are unreadable. */
  readonly objects?: Effect.Effect<ReadObject, never, Scope.Scope> | undefined
}

/**
 * The documents of a queue. A message that points at objects is one letter; acknowledging it leaves the objects.
 *
 * @category constructors
 * @since 0.1.0
 */
export const source = (options: Options): FailureSource => ({
  open: Effect.gen(function* () {
    const visibility = yield* seconds("visibilityTimeout", options.visibilityTimeout ?? "5 minutes", 1, 43_200)
    const wait = yield* seconds("wait", options.wait ?? "1 second", 0, 20)
    const call = yield* scopedClient(options)
    const readObject = options.objects === undefined ? undefined : yield* options.objects
    const queue = new Queue(call, { queueUrl: options.queueUrl, visibility, wait }, readObject)
    yield* Effect.addFinalizer(() => queue.release)
    yield* Effect.forkScoped(queue.keepAlive)
    return queue.next
  })
})

/**
 * Sends documents to a queue, for the `onFailure` of the local event source mapping.
 *
 * @category constructors
 * @since 0.1.0
 */
export const destination = (
  options: QueueOptions
): Effect.Effect<OnFailureDestination.OnFailureDestination, never, Scope.Scope> =>
  Effect.map(scopedClient(options), (call) =>
    OnFailureDestination.sqs((body) =>
      call("SendMessage", (client, settings) =>
        client.send(new Sdk.SendMessageCommand({ QueueUrl: options.queueUrl, MessageBody: body }), settings)
      )
    )
  )

type Call = AwsClient.Call<Sdk.SQSClient>

const scopedClient = (options: QueueOptions): Effect.Effect<Call, never, Scope.Scope> =>
  AwsClient.scoped(options, () => new Sdk.SQSClient(AwsClient.configOf(options)))

interface Settings {
  readonly queueUrl: string
  /** Seconds. */
  readonly visibility: number
  /** Seconds. */
  readonly wait: number
}

/** SQS counts in whole seconds. */
const seconds = (name: string, given: Duration.Input, least: number, largest: number) => {
  const value = Math.ceil(Duration.toSeconds(given))
  if (value >= least && value <= largest) return Effect.succeed(value)
  return Effect.fail(invalid("ReceiveMessage", `\`${name}\` is ${value} s: SQS takes ${least} to ${largest} seconds`))
}

/** SQS takes and gives ten messages a call. */
const most = 10

/** One reading: which messages it holds, by id, with their latest receipts. */
class Queue {
  readonly #call: Call
  readonly #settings: Settings
  readonly #readObject: ReadObject | undefined
  readonly #held = new Map<string, string>()

  constructor(call: Call, settings: Settings, readObject: ReadObject | undefined) {
    this.#call = call
    this.#readObject = readObject
    this.#settings = settings
  }

  readonly next: Next = Effect.fnUntraced({ self: this }, function* (this: Queue, size: number) {
    const letters: Array<Letter> = []
    while (letters.length < size) {
      const fresh = (yield* this.#receive(Math.min(most, size - letters.length))).filter((message) =>
        this.#hold(message)
      )
      // Nothing, or nothing but what is held: a queue whose timeout is too short would go round for ever.
      if (fresh.length === 0) break
      letters.push(...(yield* Effect.forEach(fresh, (message) => this.#letter(message))))
    }
    return letters
  })

  /** Ends with the scope. A call that fails is no reason to stop: the messages at worst come again. */
  get keepAlive(): Effect.Effect<void> {
    const { visibility } = this.#settings
    const third = Duration.seconds(visibility / 3)
    return Effect.asVoid(Effect.repeat(Effect.delay(this.#change(visibility), third), Schedule.forever))
  }

  get release(): Effect.Effect<void> {
    return this.#change(0)
  }

  #hold({ MessageId: id = "", ReceiptHandle: receipt = "" }: Sdk.Message): boolean {
    const known = this.#held.has(id)
    this.#held.set(id, receipt)
    return !known
  }

  #letter({ Body: body = "", MessageId: id = "" }: Sdk.Message): Effect.Effect<Letter, FailureDestinationError> {
    return Effect.map(documentsOf(body, this.#readObject), (documents) => ({
      id,
      documents,
      acknowledge: this.#acknowledge(id)
    }))
  }

  #acknowledge(id: string): Effect.Effect<void, FailureDestinationError> {
    return Effect.suspend(() =>
      this.#call("DeleteMessage", (client, settings) =>
        client.send(
          new Sdk.DeleteMessageCommand({ QueueUrl: this.#settings.queueUrl, ReceiptHandle: this.#held.get(id) }),
          settings
        )
      )
    ).pipe(
      Effect.tap(() => Effect.sync(() => this.#held.delete(id))),
      Effect.asVoid
    )
  }

  #receive(count: number): Effect.Effect<ReadonlyArray<Sdk.Message>, FailureDestinationError> {
    return Effect.map(
      this.#call(
        "ReceiveMessage",
        (client, settings) =>
          client.send(
            new Sdk.ReceiveMessageCommand({
              QueueUrl: this.#settings.queueUrl,
              MaxNumberOfMessages: count,
              VisibilityTimeout: this.#settings.visibility,
              // Short polling asks some of SQS's servers only, and may find nothing where there is something.
              WaitTimeSeconds: this.#settings.wait
            }),
            settings
          ),
        { wait: this.#settings.wait * 1_000 }
      ),
      ({ Messages: messages = [] }) => messages
    )
  }

  /** Of a message that is deleted, or whose receipt another reader's replaced, there is nothing to change. */
  #change(visibility: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const held = [...this.#held.values()]
      const chunks = Array.from({ length: Math.ceil(held.length / most) }, (_, index) =>
        held.slice(index * most, (index + 1) * most)
      )
      return Effect.forEach(chunks, (receipts) => this.#changeSome(receipts, visibility), { discard: true })
    })
  }

  #changeSome(receipts: ReadonlyArray<string>, visibility: number): Effect.Effect<void> {
    const entries = receipts.map((receipt, index) => ({
      Id: String(index),
      ReceiptHandle: receipt,
      VisibilityTimeout: visibility
    }))
    return this.#call("ChangeMessageVisibilityBatch", (client, settings) =>
      client.send(
        new Sdk.ChangeMessageVisibilityBatchCommand({ QueueUrl: this.#settings.queueUrl, Entries: entries }),
        settings
      )
    ).pipe(
      Effect.catch((error) => Effect.logWarning("Messages of an on-failure queue may be received by others", error)),
      Effect.asVoid
    )
  }
}
