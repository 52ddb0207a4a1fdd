/** What all stores of checkpoints share: how a row is written, how it is read back, and how they say that it failed. */
import * as Effect from "effect/Effect"

import { CheckpointError } from "../Checkpoint.ts"
import type { Checkpoint, Group } from "../Checkpoint.ts"
import * as ShardPosition from "../ShardPosition.ts"

export type Operation = "open" | "list" | "create" | "acquire" | "advance" | "remove"

/** No message repeats an address with a password, and no cause the arguments of a command. */
export const fault = (
  operation: Operation,
  reason: CheckpointError["reason"],
  message: string,
  cause?: unknown
): CheckpointError =>
  new CheckpointError({
    operation,
    reason,
    message,
    retryable: reason === "Unavailable" || reason === "Throttled",
    ...(cause === undefined ? undefined : { cause })
  })

/** `subject`: who was asked, as `Redis at host:port`. */
export const late = (operation: Operation, subject: string, timeout: number): CheckpointError =>
  fault(operation, "Unavailable", `${subject} did not answer within ${timeout} ms`)

/**
 * A name in a form that every store keeps: some refuse U+0000, and a surrogate without its partner has no UTF-8 form, so
 * two names would become one. What a name usually holds stays as it is.
 */
export const encodeName = (name: string): string => JSON.stringify(name).slice(1, -1)

/** Throws where the text was not encoded by us. */
const decodeName = (text: string): string => JSON.parse(`"${text}"`) as string

/** One name for a group, where a store has one key for it: no two groups share it. */
export const groupName = ({ application, stream }: Group): string => JSON.stringify([application, stream])

/** A row as it lies in a store. */
export interface Stored {
  readonly shardId: string
  readonly position: string
  readonly token: number
  readonly owner: string
}

/** The checkpoint behind a row; a row that none of our versions wrote is `Corrupt`. */
export const read = (operation: Operation, row: Stored): Effect.Effect<Checkpoint, CheckpointError> =>
  Effect.suspend(() => {
    try {
      const position = ShardPosition.decode(row.position)
      if (position !== undefined && Number.isSafeInteger(row.token) && row.token >= 0) {
        const [shardId, owner] = [decodeName(row.shardId), decodeName(row.owner)]
        return Effect.succeed({ shardId, position, token: row.token, owner })
      }
    } catch {
      // Falls through to what every other unreadable row is.
    }
    return fault(operation, "Corrupt", corruption(row))
  })

const corruption = ({ position, shardId, token }: Stored): string =>
  `the checkpoint of ${shardId} can't be read: position ${JSON.stringify(position)}, token ${token}; delete the row, and the shard is read from the starting position`

export const readAll = (
  operation: Operation,
  rows: ReadonlyArray<Stored>
): Effect.Effect<ReadonlyArray<Checkpoint>, CheckpointError> => Effect.forEach(rows, (row) => read(operation, row))
