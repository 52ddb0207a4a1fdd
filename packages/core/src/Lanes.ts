/**
 * Deliveries of one key form a lane: a lane runs in order, lanes run side by side.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * Groups items by key; lanes come in order of their first item, items keep their order in the lane.
 *
 * ```ts
 * import * as Lanes from "@leat/core/Lanes"
 *
 * const lanes = Lanes.group(["a1", "b1", "a2"], (item) => item.slice(0, 1))
 *
 * Array.from(lanes.values()) // => [["a1", "a2"], ["b1"]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const group = <A, K = string>(items: Iterable<A>, key: (item: A) => K): ReadonlyMap<K, ReadonlyArray<A>> => {
  const lanes = new Map<K, Array<A>>()
  for (const item of items) {
    const name = key(item)
    const lane = lanes.get(name)
    if (lane === undefined) lanes.set(name, [item])
    else lane.push(item)
  }
  return lanes
}

/**
 * What to do with a delivery whose wire partition key is not the one its payload asks for: order across partitions
 * can't be promised for its lane. `count` by default.
 *
 * @category references
 * @since 0.1.0
 */
export const KeyMismatch: Context.Reference<"count" | "refuse"> = Context.Reference<"count" | "refuse">(
  "@leat/core/Lanes/KeyMismatch",
  { defaultValue: () => "count" }
)
