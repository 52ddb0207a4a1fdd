/** The one write after a batch. */
import { outboxHold } from "@leat/core/Journal"
import type { Draft, LaneCommit, Verdict } from "@leat/core/Journal"

import * as Digest from "../digest.ts"
import * as Drafts from "../drafts.ts"
import * as EscapedText from "../escapedText.ts"
import * as StoredOutcome from "../storedOutcome.ts"
import type { Value } from "./Database.ts"
import * as InlineViews from "./inlineViews.ts"
import * as Recorded from "./recorded.ts"
import type { Store } from "./Store.ts"

export const commit = (store: Store, worker: string, lanes: ReadonlyArray<LaneCommit>): ReadonlyArray<Verdict> => {
  const verdicts = store.db.write(() => append(store, EscapedText.encode(worker), lanes))
  if (verdicts.some((verdict) => verdict !== "conflict")) store.bell.ring()
  return verdicts
}

/** Nobody else writes meanwhile: what is looked up first is still so when the rows are written. */
const append = (store: Store, worker: string, lanes: ReadonlyArray<LaneCommit>): ReadonlyArray<Verdict> => {
  const { db, namespace } = store
  const before = db.get<{ readonly position: number }>(ticket, namespace)?.position ?? 0
  const batch = new Batch(store, worker, before)
  const verdicts = standing(store, worker, lanes).map(({ lane, stream, stands }) =>
    stands ? batch.lane(lane, stream) : "conflict"
  )
  if (batch.position === before) return verdicts
  batch.write()
  db.run(moveTicket, batch.position, namespace)
  for (const projection of store.inline) InlineViews.fold(store, projection, batch.position)
  return verdicts
}

const ticket = "SELECT position FROM leat_namespaces WHERE id = ?"

const moveTicket = "UPDATE leat_namespaces SET position = ? WHERE id = ?"

/** Which lanes may commit: their stream is where they expect it, and none of their deliveries is recorded. */
const standing = (store: Store, worker: string, lanes: ReadonlyArray<LaneCommit>): ReadonlyArray<Looked> => {
  const streams = Recorded.streams(store, worker, lanes)
  const looked = lanes.map((lane, index): Looked => ({
    lane,
    stream: streams[index]?.id,
    stands: (streams[index]?.version ?? 0) === lane.expected && !Drafts.repeatsItself(lane)
  }))
  const sought = looked.flatMap((one) => (one.stream === undefined || !one.stands ? [] : originals(one, one.stream)))
  for (const { sought: index } of Recorded.deliveries(store, sought)) {
    const repeated = sought[index]
    if (repeated !== undefined) repeated.one.stands = false
  }
  return looked
}

interface Looked {
  readonly lane: LaneCommit
  readonly stream: number | undefined
  stands: boolean
}

const originals = (one: Looked, stream: number) =>
  one.lane.entries.flatMap(({ id, resolves, type }) => (resolves === undefined ? [{ id, type, stream, one }] : []))

const beginStream = `INSERT INTO leat_streams (namespace, worker, key, version, parked, unpublished)
  VALUES (?, ?, ?, ?, ?, ?) RETURNING id`

const moveStreams = `UPDATE leat_streams SET
    version = version + (moved.value ->> 1), parked = parked + (moved.value ->> 2),
    unpublished = unpublished + (moved.value ->> 3)
  FROM json_each(?) moved WHERE leat_streams.id = moved.value ->> 0`

const removeParked = "DELETE FROM leat_parked WHERE stream = ? AND place = ?"

const lowerParked = "UPDATE leat_streams SET parked = parked - 1 WHERE id = ?"

const addParked = "INSERT INTO leat_parked (stream, place) VALUES (?, ?)"

const addOutbox = "INSERT INTO leat_outbox (place, namespace, worker, stream, held_until) VALUES (?, ?, ?, ?, ?)"

const columns = `place, stream, version, digest, at, resolves, type, event_id, outcome, attempts, duration,
  worker_version, event_version, fault, partition, source_position, partition_key, arrival, detail, steps, bytes`

const width = columns.split(",").length

const insertRows = (count: number): string => {
  const row = `(${Array.from({ length: width }, () => "?").join(", ")})`
  return `INSERT INTO leat_entries (${columns}) VALUES ${Array.from({ length: count }, () => row).join(", ")}`
}

/** Several rows a statement halve the cost of a row; two statements are enough for any number. */
const many = 10
const insertMany = insertRows(many)
const insertOne = insertRows(1)

class Batch {
  position: number
  readonly #store: Store
  readonly #worker: string
  readonly #at: number
  /** Values of the rows to insert, one row after the other. */
  readonly #rows: Array<Value> = []
  readonly #moved: Array<readonly [stream: number, versions: number, parked: number, unpublished: number]> = []

  constructor(store: Store, worker: string, position: number) {
    this.#store = store
    this.#worker = worker
    this.#at = store.now()
    this.position = position
  }

  lane(lane: LaneCommit, found: number | undefined): Verdict {
    const first = this.position + 1
    if (lane.entries.length === 0) return { position: first }
    const stream = this.#move(lane, found)
    let version = lane.expected
    for (const draft of lane.entries) this.#entry(draft, stream, (version += 1), lane.outbox)
    return { position: first }
  }

  write(): void {
    const { db } = this.#store
    if (this.#moved.length > 0) db.run(moveStreams, JSON.stringify(this.#moved))
    let from = 0
    for (; this.#rows.length - from >= many * width; from += many * width) {
      db.run(insertMany, ...this.#rows.slice(from, from + many * width))
    }
    for (; from < this.#rows.length; from += width) db.run(insertOne, ...this.#rows.slice(from, from + width))
  }

  #move(lane: LaneCommit, found: number | undefined): number {
    const { entries, key } = lane
    const parked = Drafts.count(entries, Drafts.parks)
    const unpublished = Drafts.unpublished(lane)
    if (found !== undefined) {
      this.#moved.push([found, entries.length, parked, unpublished])
      return found
    }
    const { db, namespace } = this.#store
    const values = [namespace, this.#worker, EscapedText.encode(key), entries.length, parked, unpublished] as const
    const begun = db.get<{ readonly id: number }>(beginStream, ...values)
    if (begun === undefined) throw new TypeError("an INSERT … RETURNING gave no row")
    return begun.id
  }

  #entry(draft: Draft, stream: number, version: number, outbox: LaneCommit["outbox"]): void {
    const { base, db, namespace } = this.#store
    const place = base + (this.position += 1)
    this.#row(draft, place, stream, version)
    if (Drafts.parks(draft)) db.run(addParked, stream, place)
    else if (draft.resolves !== undefined && Drafts.ends(draft)) this.#resolve(stream, draft.resolves)
    if (outbox !== undefined && Drafts.emits(draft)) {
      const until = outbox === "hold" ? this.#at + outboxHold : 0
      db.run(addOutbox, place, namespace, this.#worker, stream, until)
    }
  }

  #resolve(stream: number, position: number): void {
    const { base, db } = this.#store
    if (db.run(removeParked, stream, base + position) === 1) db.run(lowerParked, stream)
  }

  #row(draft: Draft, place: number, stream: number, version: number): void {
    const { attempts, bytes, duration, eventVersion, id, outcome, resolves, source, steps, type, workerVersion } = draft
    this.#rows.push(
      place,
      stream,
      version,
      Digest.of(type, id),
      this.#at,
      resolves ?? null,
      EscapedText.encode(type),
      EscapedText.encode(id),
      outcome._tag,
      attempts,
      duration,
      workerVersion === undefined ? null : EscapedText.encode(workerVersion),
      eventVersion ?? null,
      source.fault === undefined ? null : EscapedText.encode(source.fault),
      EscapedText.encode(source.partition),
      EscapedText.encode(source.position),
      EscapedText.encode(source.partitionKey),
      source.arrival,
      StoredOutcome.detailOf(outcome),
      steps === undefined ? null : JSON.stringify(steps),
      bytes
    )
  }
}
