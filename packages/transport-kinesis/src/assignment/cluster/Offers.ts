/**
 * What a machine offers to run, as text that the others read.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import * as LeaseStore from "./LeaseStore.ts"

/** Names that begin alike stand together: the names of 300 shards are 3 kB, which every machine reads each second. */
const Grouped = Schema.fromJsonString(Schema.Array(Schema.Tuple([Schema.String, Schema.Array(Schema.String)])))

/** As many digits as differ between the shards of most streams. */
const split = (name: string): readonly [string, string] => {
  const end = /\d{0,3}$/.exec(name)?.[0] ?? ""
  return [name.slice(0, name.length - end.length), end]
}

/**
 * The same names are the same text, in whatever order.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (names: Iterable<string>): string => {
  const groups = Map.groupBy([...names].toSorted().map(split), ([begin]) => begin)
  return Schema.encodeSync(Grouped)([...groups].map(([begin, some]) => [begin, some.map(([, end]) => end)]))
}

/**
 * The names in the text of a machine.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  machine: string,
  text: string
): Effect.Effect<ReadonlySet<string>, LeaseStore.ShardAssignmentError> => {
  const groups = Schema.decodeUnknownResult(Grouped)(text)
  return Result.isSuccess(groups)
    ? Effect.succeed(new Set(groups.success.flatMap(([begin, ends]) => ends.map((end) => begin + end))))
    : Effect.fail(
        LeaseStore.fault("machines", {
          reason: "Refused",
          message: `what the machine ${machine} offers can't be read; delete its row, or give other versions another namespace`
        })
      )
}
