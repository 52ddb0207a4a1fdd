/**
 * Dead letters onto a Kinesis stream of their own: for a worker without a journal.
 *
 * **Guarantees.** A letter is accepted when the stream has it; one that isn't leaves its record with the transport. Limits,
 * retries and the order of a partition key are {@link "./KinesisPublisher.ts"}'s.
 *
 * **Gotchas.** A letter carries the record's bytes as base64, a third longer than they were: a record that leaves no room
 * under the stream's record limit is not accepted. Letters live as long as their stream retains them.
 *
 * @since 0.1.0
 */
import * as DeadLetterSink from "@leat/core/DeadLetterSink"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

import type * as KinesisClient from "./KinesisClient.ts"
import * as KinesisPublisher from "./KinesisPublisher.ts"

/**
 * Sends a worker's dead letters to a stream, as CloudEvents of the type `leat.dead-letter`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: KinesisPublisher.Options): Layer.Layer<never, never, KinesisClient.KinesisClient> =>
  DeadLetterSink.layerEffect(Effect.map(KinesisPublisher.make(options), DeadLetterSink.fromPublisher))
