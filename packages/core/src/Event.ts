/**
 * What happened: a tag, a version, a payload schema, an ordering key and an id.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"

import type { JournaledOutcome } from "./Journal.ts"
import * as Undecodable from "./Undecodable.ts"

/**
 * An event that a handler returned: what the outbox publishes. Its id and its correlation are given by the worker.
 *
 * @category models
 * @since 0.1.0
 */
export interface Emitted<out Tag extends string = string> {
  readonly type: Tag
  readonly version: number
  readonly payload: unknown
  /** The lane key. */
  readonly key: string
  /** The key to put on the wire. */
  readonly partitionKey: string
  /** The payload in its JSON form. Throws where the payload breaks its own schema: a defect of the handler. */
  readonly data: unknown
}

/**
 * A kind of event: how its payload is decoded, which lane it belongs to, what makes it unique.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event<out Tag extends string, in out A> {
  readonly tag: Tag
  readonly version: number
  /** The lane: events of one key are handled one after the other, in order. */
  readonly key: (payload: A) => string
  /** What the sender puts on the wire as partition key, so that a key stays in one partition. */
  readonly partitionKey: (payload: A) => string
  /** The lane behind a wire partition key: where an event waits whose payload this program is too old to read. */
  readonly keyOf: (partitionKey: string) => string
  /** The idempotency id; an envelope's own id beats it. */
  readonly id: (payload: A) => string
  /** Decodes the JSON form of a payload written by `version`. Never throws. */
  readonly decode: (data: unknown, version: number) => Result.Result<A, Undecodable.Undecodable>
  /** The event as a handler returns it. */
  readonly make: (payload: A) => Emitted<Tag>
}

/**
 * Any event.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the payload is invariant: no other type stands for "some event"
export type Any = Event<string, any>

/**
 * The payload of an event.
 *
 * @category models
 * @since 0.1.0
 */
export type Payload<E> = E extends Event<string, infer A> ? A : never

/**
 * Turns the JSON form of version n into that of version n + 1.
 *
 * @category models
 * @since 0.1.0
 */
export type Upcaster = (data: unknown) => unknown

/**
 * Defines an event.
 *
 * **Details**
 *
 * The schema is compiled when code generation is allowed and interpreted where it is not. `upcasters[n]` lifts the
 * JSON form of version n to n + 1 before the payload is decoded, so a handler only ever sees today's payload.
 *
 * **Example** (A key and an id from the payload)
 *
 * ```ts
 * import * as Event from "@leat/core/Event"
 * import * as Result from "effect/Result"
 * import * as Schema from "effect/Schema"
 *
 * const Greeted = Event.make("Greeted", {
 *   payload: Schema.Struct({ name: Schema.String }),
 *   key: (payload) => payload.name,
 *   id: (payload) => `greeted-${payload.name}`
 * })
 *
 * Greeted.make({ name: "ann" }).key // => "ann"
 * Result.isFailure(Greeted.decode({ name: 1 }, 1)) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Tag extends string, A, I>(
  tag: Tag,
  options: {
    readonly payload: Schema.Codec<A, I>
    /** Version of the payload's schema. Default 1. */
    readonly version?: number | undefined
    readonly key: (payload: NoInfer<A>) => string
    readonly id: (payload: NoInfer<A>) => string
    /** Default: `key`. */
    readonly partitionKey?: ((payload: NoInfer<A>) => string) | undefined
    /** The `key` behind a `partitionKey`; name both or neither. Default: the partition key. */
    readonly keyOf?: ((partitionKey: string) => string) | undefined
    readonly upcasters?: { readonly [fromVersion: number]: Upcaster } | undefined
  }
): Event<Tag, A> => {
  const codec = Schema.toCodecJson(options.payload)
  SchemaJITCompiler.enable(codec.ast)
  const version = options.version ?? 1
  const partitionKey = options.partitionKey ?? options.key
  const encode = Schema.encodeSync(codec)

  // Key and JSON form are computed when the outbox asks: a worker whose events nobody publishes doesn't pay for them.
  class EmittedEvent implements Emitted<Tag> {
    readonly payload: A
    constructor(payload: A) {
      this.payload = payload
    }
    get type(): Tag {
      return tag
    }
    get version(): number {
      return version
    }
    get key(): string {
      return options.key(this.payload)
    }
    get partitionKey(): string {
      return partitionKey(this.payload)
    }
    get data(): unknown {
      return encode(this.payload)
    }
  }

  return {
    tag,
    version,
    key: options.key,
    partitionKey,
    keyOf: options.keyOf ?? ((wireKey) => wireKey),
    id: options.id,
    decode: decoder(tag, codec, version, options.upcasters ?? {}),
    make: (payload) => new EmittedEvent(payload)
  }
}

/**
 * The payloads of one event among what an outcome emitted, lifted to today's version: for the fold of a projection.
 *
 * **Details**
 *
 * The journal keeps events as they were emitted, so a view folds all versions that there ever were. One that can't be read,
 * as a newer program emitted it, is thrown as `Undecodable`: a view must stop there and not leave it out.
 *
 * **Example** (A view that reads what versions 1 and 2 emitted)
 *
 * ```ts
 * import * as Envelope from "@leat/core/Envelope"
 * import * as Event from "@leat/core/Event"
 * import * as Schema from "effect/Schema"
 *
 * const Sold = Event.make("Sold", {
 *   version: 2,
 *   payload: Schema.Struct({ film: Schema.String, cents: Schema.Int }),
 *   key: (sold) => sold.film,
 *   id: (sold) => sold.film,
 *   upcasters: { 1: (data) => ({ ...(data as { readonly film: string }), cents: 700 }) }
 * })
 * const outcome = {
 *   _tag: "Handled",
 *   emitted: [
 *     Envelope.make({ type: "Sold", version: 1, data: { film: "Heat" } }),
 *     Envelope.make({ type: "Lost", data: {} }),
 *     Envelope.make({ type: "Sold", version: 2, data: { film: "Ran", cents: 900 } })
 *   ]
 * } as const
 *
 * Event.emittedBy(Sold, outcome).map(({ cents }) => cents) // => [700, 900]
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const emittedBy = <A>(event: Event<string, A>, outcome: JournaledOutcome): ReadonlyArray<A> =>
  outcome._tag === "Handled"
    ? outcome.emitted
        .filter(({ type }) => type === event.tag)
        .map(({ data, version }) => Result.getOrThrow(event.decode(data, version)))
    : []

const decoder = <A, I>(
  tag: string,
  codec: Schema.Codec<A, I>,
  current: number,
  upcasters: { readonly [fromVersion: number]: Upcaster }
) => {
  const decode = Schema.decodeUnknownResult(codec)
  // The fast decode stops at the first fault; the sender deserves all of them, so a failure is decoded once more.
  const explain = Schema.decodeUnknownResult(codec, { errors: "all" })
  return (data: unknown, version: number): Result.Result<A, Undecodable.Undecodable> => {
    const lifted = version === current ? data : upcast(tag, data, version, current, upcasters)
    if (lifted instanceof Undecodable.Undecodable) return Result.fail(lifted)
    const decoded = decode(lifted)
    return Result.isSuccess(decoded)
      ? (decoded as Result.Success<A, never>)
      : Result.mapError(explain(lifted), Undecodable.fromSchemaError)
  }
}

const upcast = (
  tag: string,
  data: unknown,
  from: number,
  to: number,
  upcasters: { readonly [fromVersion: number]: Upcaster }
): unknown => {
  if (from > to) return Undecodable.newerVersion(tag, from, to)
  let lifted = data
  for (let version = from; version < to; version++) {
    const upcaster = upcasters[version]
    if (upcaster === undefined) return Undecodable.noUpcaster(tag, version)
    try {
      lifted = upcaster(lifted)
    } catch (error) {
      return Undecodable.invalid(`the upcaster of ${tag} from version ${version} threw: ${String(error)}`)
    }
  }
  return lifted
}
