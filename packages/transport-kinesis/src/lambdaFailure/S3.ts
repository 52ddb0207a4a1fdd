/**
 * An S3 bucket as an on-failure destination: its documents to redrive, and the writing half for the local mapping.
 *
 * **Guarantees.** Objects are read in the order of their keys: Lambda's have the shard and the time in them. An object is
 * deleted, or moved, when it is acknowledged, and never otherwise.
 *
 * **Details.** A bucket's documents carry the records themselves: they can be redriven after the stream forgot them. At
 * most 64 MiB of them, and at least one, are held at once.
 *
 * **Gotchas.** Objects are not hidden from a second redrive that runs at the same time. Directory buckets (S3 Express)
 * list in no order. `@aws-sdk/client-s3` must be installed.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @since 0.1.0
 */
import * as Sdk from "@aws-sdk/client-s3"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import * as OnFailureDestination from "../eventSourceMapping/OnFailureDestination.ts"
import * as AwsClient from "./AwsClient.ts"
import { invalid } from "./FailureDestinationError.ts"
import type { FailureDestinationError } from "./FailureDestinationError.ts"
import { documentsOf } from "./FailureSource.ts"
import type { FailureSource, Letter, Next, ReadObject } from "./FailureSource.ts"

/**
 * How to reach S3.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions extends AwsClient.Options {
  /** The bucket in the path instead of the host's name. Default: where an endpoint is given, as emulators need it. */
  readonly forcePathStyle?: boolean | undefined
}

/**
 * Documents in a bucket.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends ClientOptions {
  readonly bucket: string
  /** Narrow it to one mapping, or one shard, of several. Default `aws/lambda/`, where Lambda writes. */
  readonly prefix?: string | undefined
  /**
   * What acknowledging does: `delete`, or move under another prefix of the bucket, in front of the whole key. Default
   * `delete`.
   */
  readonly acknowledged?: "delete" | { readonly moveTo: string } | undefined
  /** Keys a listing, at most 1000. Default 1000. */
  readonly pageSize?: number | undefined
}

/**
 * The documents of a bucket.
 *
 * @category constructors
 * @since 0.1.0
 */
export const source = (options: Options): FailureSource => ({
  open: Effect.gen(function* () {
    const { acknowledged = "delete", bucket, pageSize = 1_000, prefix = "aws/lambda/" } = options
    if (typeof acknowledged === "object" && (acknowledged.moveTo === "" || acknowledged.moveTo.startsWith(prefix))) {
      return yield* invalid(
        "CopyObject",
        `\`moveTo\` is "${acknowledged.moveTo}", below the prefix "${prefix}": a moved object would be redriven again`
      )
    }
    if (!(Number.isSafeInteger(pageSize) && pageSize >= 1 && pageSize <= 1_000)) {
      return yield* invalid("ListObjectsV2", `\`pageSize\` is ${pageSize}: S3 lists 1 to 1000 keys at once`)
    }
    const call = yield* scopedClient(options)
    return new Bucket(call, { acknowledged, bucket, pageSize, prefix }).next
  })
})

/**
 * Reads objects that messages of a queue point at: `objects` of `Sqs.source`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const objects = (options: ClientOptions = {}): Effect.Effect<ReadObject, never, Scope.Scope> =>
  Effect.map(
    scopedClient(options),
    (call): ReadObject =>
      (location) =>
        get(call, location)
  )

/**
 * Writes documents with their records into a bucket, under keys as Lambda makes them, for the `onFailure` of the local
 * event source mapping.
 *
 * @category constructors
 * @since 0.1.0
 */
export const destination = (
  options: ClientOptions & { readonly bucket: string }
): Effect.Effect<OnFailureDestination.OnFailureDestination, never, Scope.Scope> =>
  Effect.map(scopedClient(options), (call) =>
    OnFailureDestination.s3(({ body, key }) =>
      call("PutObject", (client, settings) =>
        client.send(
          new Sdk.PutObjectCommand({
            Bucket: options.bucket,
            Key: key,
            Body: body,
            ContentType: "application/json"
          }),
          settings
        )
      )
    )
  )

type Call = AwsClient.Call<Sdk.S3Client>

const scopedClient = (options: ClientOptions): Effect.Effect<Call, never, Scope.Scope> =>
  AwsClient.scoped(
    options,
    () =>
      new Sdk.S3Client({
        ...AwsClient.configOf(options),
        forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined
      })
  )

const get = (
  call: Call,
  { bucket, key }: { readonly bucket: string; readonly key: string }
): Effect.Effect<string, FailureDestinationError> =>
  call(
    "GetObject",
    async (client, settings) => {
      const { Body: body } = await client.send(new Sdk.GetObjectCommand({ Bucket: bucket, Key: key }), settings)
      return (await body?.transformToString("utf8")) ?? ""
    },
    { body: true }
  )

interface Listed {
  readonly key: string
  readonly bytes: number
}

interface Settings {
  readonly bucket: string
  readonly pageSize: number
  readonly prefix: string
  readonly acknowledged: NonNullable<Options["acknowledged"]>
}

const mostBytes = 64 * 1024 * 1024

/** One reading: the keys that were listed and not read, and the last of them. */
class Bucket {
  readonly #call: Call
  readonly #settings: Settings
  #listed: Array<Listed> = []
  #after: string | undefined
  #ended = false

  constructor(call: Call, settings: Settings) {
    this.#call = call
    this.#settings = settings
  }

  readonly next: Next = Effect.fnUntraced({ self: this }, function* (this: Bucket, size: number) {
    while (true) {
      const chosen = yield* this.#choose(size)
      const read = yield* Effect.forEach(chosen, (object) => this.#letter(object), { concurrency: 8 })
      const letters = read.filter((letter) => letter !== undefined)
      // All of them taken by another redrive is not the end.
      if (letters.length > 0 || chosen.length === 0) return letters
    }
  })

  /** The next keys, as many as may be held at once. */
  readonly #choose = Effect.fnUntraced({ self: this }, function* (this: Bucket, size: number) {
    const chosen: Array<Listed> = []
    let bytes = 0
    while (chosen.length < size) {
      // A page may hold nothing but folders.
      while (this.#listed.length === 0 && !this.#ended) yield* this.#list
      const [object] = this.#listed
      bytes += object?.bytes ?? 0
      if (object === undefined || (chosen.length > 0 && bytes > mostBytes)) break
      this.#listed.shift()
      chosen.push(object)
    }
    return chosen
  })

  /** The next page behind the last key: it holds where objects before it were taken out meanwhile. */
  get #list(): Effect.Effect<void, FailureDestinationError> {
    return Effect.suspend(() => {
      const { bucket, pageSize, prefix } = this.#settings
      const page = { Bucket: bucket, Prefix: prefix, MaxKeys: pageSize }
      const after = this.#after === undefined ? {} : { StartAfter: this.#after }
      return Effect.map(
        this.#call("ListObjectsV2", (client, settings) =>
          client.send(new Sdk.ListObjectsV2Command({ ...page, ...after }), settings)
        ),
        ({ Contents: contents = [], IsTruncated: truncated }) => {
          const found = contents.map(({ Key: key = "", Size: bytes = 0 }) => ({ key, bytes }))
          this.#after = found.at(-1)?.key ?? this.#after
          this.#ended = truncated !== true
          // A console makes folders as empty objects.
          this.#listed = found.filter(({ bytes, key }) => bytes > 0 || !key.endsWith("/"))
        }
      )
    })
  }

  /** `undefined` for an object that another redrive took since it was listed. */
  #letter({ key }: Listed): Effect.Effect<Letter | undefined, FailureDestinationError> {
    const { bucket } = this.#settings
    return get(this.#call, { bucket, key }).pipe(
      Effect.flatMap((text) => documentsOf(text)),
      Effect.map((documents): Letter => ({ id: key, documents, acknowledge: this.#acknowledge(key) })),
      Effect.catchIf(
        (error) => error.cause instanceof Sdk.NoSuchKey,
        () => Effect.undefined
      )
    )
  }

  #acknowledge(key: string): Effect.Effect<void, FailureDestinationError> {
    const { acknowledged, bucket } = this.#settings
    const removed = Effect.asVoid(
      this.#call("DeleteObject", (client, settings) =>
        client.send(new Sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), settings)
      )
    )
    if (acknowledged === "delete") return removed
    const copied = this.#call("CopyObject", (client, settings) =>
      client.send(
        new Sdk.CopyObjectCommand({
          Bucket: bucket,
          Key: `${acknowledged.moveTo}${key}`,
          CopySource: `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`
        }),
        settings
      )
    )
    return Effect.andThen(copied, removed)
  }
}
