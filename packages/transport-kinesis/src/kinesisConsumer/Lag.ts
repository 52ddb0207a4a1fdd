/**
 * How far behind the tip each shard is that is read here, as a figure that can't stand still: what the last page said,
 * and the time since. A shard that nobody reads any more, for whatever reason, falls behind by the clock.
 *
 * @since 0.1.0
 */

/**
 * The lag of the shards in hand.
 *
 * @category models
 * @since 0.1.0
 */
export class Lag {
  readonly #shards = new Map<string, { readonly millis: number; readonly at: number }>()

  /** A page was taken from a shard, or the shard taken over (`millis` 0, as far as we know); `now` in monotonic milliseconds. */
  note(shardId: string, millis: number, now: number): void {
    this.#shards.set(shardId, { millis, at: now })
  }

  /** The shard ended or went to another process, and its lag with it. */
  forget(shardId: string): void {
    this.#shards.delete(shardId)
  }

  /** Milliseconds behind the tip, at most, by shard. */
  read(now: number): ReadonlyMap<string, number> {
    return new Map(Array.from(this.#shards, ([shardId, { at, millis }]) => [shardId, millis + now - at]))
  }
}
