/**
 * An event on the wire: the CloudEvents 1.0 attributes that Leat reads and writes, as pure data.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 * @since 0.1.0
 */

/**
 * An event on the wire.
 *
 * **Details**
 *
 * Extension attributes keep the names of the CloudEvents registry where it has one: `partitionkey` is {@link key},
 * `dataversion`, `correlationid` and `causationid` are ours.
 *
 * @category models
 * @since 0.1.0
 */
export interface Envelope {
  /** CloudEvents `id`. Plain JSON carries none; then the event's own `id` function names it. */
  readonly id: string | undefined
  /** CloudEvents `type`: the tag of the event. */
  readonly type: string
  /** Version of the payload's schema, from 1. */
  readonly version: number
  /** CloudEvents `source`: who sent it. */
  readonly source: string | undefined
  /** CloudEvents `time`, RFC 3339. */
  readonly time: string | undefined
  /** Wire partition key: deliveries that share it arrive in order. */
  readonly key: string | undefined
  /** Id of the event at the root of this chain of events. */
  readonly correlationId: string | undefined
  /** Id of the event whose handler emitted this one. */
  readonly causationId: string | undefined
  /** The payload in its JSON form. */
  readonly data: unknown
}

/**
 * Builds an envelope; what is left out is `undefined`, the version 1.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Pick<Envelope, "type" | "data"> & Partial<Envelope>): Envelope => ({
  id: options.id,
  type: options.type,
  version: options.version ?? 1,
  source: options.source,
  time: options.time,
  key: options.key,
  correlationId: options.correlationId,
  causationId: options.causationId,
  data: options.data
})
