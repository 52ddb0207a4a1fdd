/**
 * Redrives what waits in a source: round by round, in order, and takes out what is settled.
 *
 * @since 0.1.0
 */
import { Journal } from "@leat/core/Journal"
import type { JournalError } from "@leat/core/Journal"
import type { Worker } from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import * as KinesisClient from "../KinesisClient.ts"
import * as DocumentRedrive from "./DocumentRedrive.ts"
import type { FailureDestinationError } from "./FailureDestinationError.ts"
import type { FailureDocument } from "./FailureDocument.ts"
import type { FailureSource, Letter } from "./FailureSource.ts"
import { badOption } from "./LambdaFailureError.ts"
import type { LambdaFailureError } from "./LambdaFailureError.ts"
import * as RedriveOrder from "./RedriveOrder.ts"
import * as RedriveReport from "./RedriveReport.ts"

/**
 * How a source is redriven.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends DocumentRedrive.Options {
  /** Letters in all. Default: until the source is empty. */
  readonly limit?: number | undefined
  /**
   * Letters that are taken, put in order and run together. A queue gives its messages in any order, so only what is taken
   * together is in order. Default 1000.
   */
  readonly atOnce?: number | undefined
  /** Shards side by side. Default 10. */
  readonly concurrency?: number | undefined
  /**
   * What becomes of a letter whose records expired, once the rest of it is settled. Default `keep`: it is all that tells
   * of them.
   */
  readonly expired?: "keep" | "acknowledge" | undefined
  /** Told of each letter as soon as it is done with. */
  readonly onLetter?: ((report: RedriveReport.LetterReport) => Effect.Effect<void>) | undefined
}

/**
 * Redrives a source until it is empty, or `limit` letters were taken.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(
  worker: Worker<R>,
  source: FailureSource,
  options: Options = {}
): Effect.Effect<
  RedriveReport.Report,
  JournalError | FailureDestinationError | LambdaFailureError,
  R | Journal | KinesisClient.KinesisClient
> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { durable } = yield* Journal
      const atOnce = yield* DocumentRedrive.whole("atOnce", options.atOnce, 1_000)
      const concurrency = yield* DocumentRedrive.whole("concurrency", options.concurrency, 10)
      let left = yield* limitOf(options)
      yield* DocumentRedrive.whole("batchSize", options.batchSize, 1)
      const next = yield* source.open
      const state: State<R> = { worker, options, concurrency, held: new Set(), report: RedriveReport.empty(durable) }
      while (left > 0) {
        const letters = yield* next(Math.min(left, atOnce))
        if (letters.length === 0) break
        left -= letters.length
        yield* round(state, letters)
      }
      return state.report
    })
  )

const limitOf = ({ limit = Infinity }: Options): Effect.Effect<number, LambdaFailureError> =>
  limit === Infinity || (Number.isSafeInteger(limit) && limit >= 0)
    ? Effect.succeed(limit)
    : Effect.fail(badOption("limit", limit, "an integer from 0 on, or Infinity"))

/** What lives from the first round to the last. */
interface State<R> {
  readonly worker: Worker<R>
  readonly options: Options
  readonly concurrency: number
  /** Shards of which something is not settled: what follows on them waits. */
  readonly held: Set<string>
  report: RedriveReport.Report
}

/** A letter under way. */
interface Underway {
  readonly letter: Letter
  open: number
  behind: boolean
  readonly reports: Array<RedriveReport.DocumentReport>
}

interface Item extends RedriveOrder.Placed {
  readonly document: FailureDocument
  readonly underway: Underway
}

const round = Effect.fnUntraced(function* <R>(state: State<R>, letters: ReadonlyArray<Letter>) {
  const items: Array<Item> = []
  for (const letter of letters) {
    if (Result.isFailure(letter.documents)) {
      yield* tell(state, { _tag: "Unreadable", id: letter.id, documents: [], error: letter.documents.failure })
      continue
    }
    const documents = letter.documents.success
    const underway: Underway = { letter, open: documents.length, behind: false, reports: [] }
    for (const document of documents) items.push({ document, underway })
  }
  const shards = RedriveOrder.byShard(items)
  const ancestors = yield* lineageOf(shards, state.held)
  for (const wave of RedriveOrder.waves(shards, ancestors)) {
    yield* Effect.forEach(wave, (shard) => runShard(state, shard, ancestors(shard)), {
      concurrency: state.concurrency,
      discard: true
    })
  }
})

type Shard = RedriveOrder.ShardDocuments<Item>

/**
 * The ancestors of each shard, among those of its round and those that an earlier round left held. Where the stream can't
 * be asked, since a bucket's documents need no stream, all shards with lower ids are taken for ancestors: parents have
 * lower ids than their children.
 */
const lineageOf = Effect.fnUntraced(function* (shards: ReadonlyArray<Shard>, held: ReadonlySet<string>) {
  const client = yield* KinesisClient.KinesisClient
  const ancestors = new Map<string, ReadonlySet<string>>()
  for (const [streamArn, group] of Map.groupBy(shards, (shard) => shard.streamArn)) {
    const prefix = RedriveOrder.nameOf({ streamArn, shardId: "" })
    const before = [...held].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
    if (group.length === 1 && before.length === 0) continue
    const listed = yield* Effect.result(client.listShards(streamArn))
    for (const { shardId } of group) {
      const found = Result.isSuccess(listed)
        ? RedriveOrder.ancestorsOf(shardId, listed.success)
        : new Set([...before, ...group.map((shard) => shard.shardId)].filter((id) => id < shardId))
      const names = [...found].map((id) => RedriveOrder.nameOf({ streamArn, shardId: id }))
      ancestors.set(RedriveOrder.nameOf({ streamArn, shardId }), new Set(names))
    }
  }
  return (shard: Shard): ReadonlySet<string> => ancestors.get(RedriveOrder.nameOf(shard)) ?? nobody
})

const nobody: ReadonlySet<string> = new Set()

const runShard = Effect.fnUntraced(function* <R>(state: State<R>, shard: Shard, ancestors: ReadonlySet<string>) {
  const name = RedriveOrder.nameOf(shard)
  if ([...ancestors].some((ancestor) => state.held.has(ancestor))) state.held.add(name)
  for (const { document, underway } of shard.items) {
    underway.open--
    if (state.held.has(name)) underway.behind = true
    else {
      const report = yield* attempt(state, document)
      if (report.stopped !== undefined) state.held.add(name)
      underway.reports.push(report)
    }
    if (underway.open === 0) yield* finish(state, underway)
  }
})

/** A stream that can't be read holds its own shards; a journal that can't be written holds everything. */
const attempt = <R>({ options, worker }: State<R>, document: FailureDocument) =>
  Effect.catchTag(DocumentRedrive.run(worker, document, options), "KinesisError", (error) => {
    const { endSequenceNumber, shardId, startSequenceNumber, streamArn } = document.KinesisBatchInfo
    const { message: reason, retryable } = error
    return Effect.succeed<RedriveReport.DocumentReport>({
      streamArn,
      shardId,
      startSequenceNumber,
      endSequenceNumber,
      records: 0,
      outcomes: RedriveReport.none,
      gone: [],
      stopped: { position: startSequenceNumber, reason, retryable }
    })
  })

const finish = <R>(state: State<R>, { behind, letter, reports: documents }: Underway) => {
  const { acknowledge, id } = letter
  if (documents.some(({ stopped }) => stopped !== undefined)) return tell(state, { _tag: "Failed", id, documents })
  if (behind) return tell(state, { _tag: "Behind", id, documents })
  const expired = documents.some(({ gone }) => gone.length > 0)
  if (expired && state.options.expired !== "acknowledge") return tell(state, { _tag: "Expired", id, documents })
  return Effect.matchEffect(acknowledge, {
    onSuccess: () => tell(state, { _tag: "Acknowledged", id, documents }),
    onFailure: (error) => tell(state, { _tag: "Unacknowledged", id, documents, reason: error.message })
  })
}

const tell = <R>(state: State<R>, letter: RedriveReport.LetterReport): Effect.Effect<void> =>
  Effect.suspend(() => {
    state.report = RedriveReport.add(state.report, letter)
    return state.options.onLetter?.(letter) ?? Effect.void
  })
