import { CacheStoreError } from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"
import { Command } from "ioredis"

import type { Connection } from "../connection.ts"
import type { EncodedCommand } from "../encodedCommand.ts"
import { fault } from "../fault.ts"
import type { Naming } from "../fencedWrite.ts"
import * as redirection from "./redirection.ts"
import type { Address, Endpoint } from "./slots.ts"
import { addressOf, endpointOf, ownersOf } from "./slots.ts"

/** A command whose keys are all in one slot. */
export interface Part {
  readonly slot: number
  readonly command: (naming: Naming) => EncodedCommand
  /** Whether to wait for a slot of which some keys are here and some there. */
  readonly patient: boolean
}

/** What became of a part: the reply, or why there is none. */
export type Result = { readonly reply: unknown } | CacheStoreError

/** A part on its way. */
interface Sending {
  readonly index: number
  readonly part: Part
  readonly to: Address | undefined
  readonly asking: boolean
  readonly naming: Naming
}

/** What a {@link Cluster} needs. */
export interface Surroundings {
  readonly seeds: ReadonlyArray<Endpoint>
  /** Milliseconds a batch may take. */
  readonly timeout: number
  readonly connect: (endpoint: Endpoint) => Connection
}

/** A slot on its way is asked for at both ends; sent on more often than that, and something is wrong. */
const maxHops = 5

/** Milliseconds between two looks at who has what, between two until somebody has said so, and until it is old. */
const pause = 250
const firstPause = 5
const stale = 30_000

/** Milliseconds until a slot half moved is tried again. */
const patience = 5

/**
 * A cluster as one connection a primary, each with the breaker and the reconnecting of its own: a node that hangs costs its
 * keys their time, and the others' nothing.
 *
 * A batch goes to each node in one write. A node that has lost a slot says who has it now; that is followed, and who has what
 * is looked at again in the background.
 */
export class Cluster {
  readonly surroundings: Surroundings
  readonly nodes = new Map<Address, Connection>()
  owners: ReadonlyArray<Address | undefined> = []
  known = false
  lookedAt = -Infinity
  looking = false
  closing = false
  later: ReturnType<typeof setTimeout> | undefined

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings
    for (const seed of surroundings.seeds) this.node(addressOf(seed))
    this.look()
  }

  node(address: Address): Connection {
    const known = this.nodes.get(address)
    if (known !== undefined) return known
    const opened = this.surroundings.connect(endpointOf(address))
    this.nodes.set(address, opened)
    return opened
  }

  /** The result at `i` belongs to `parts[i]`. */
  run(parts: ReadonlyArray<Part>, within: number): Effect.Effect<ReadonlyArray<Result>> {
    return Effect.suspend(() => {
      if (performance.now() - this.lookedAt > stale) this.look()
      const results: Array<Result> = parts.map(() => unknownSlot)
      const first = parts.map((part, index): Sending => ({
        index,
        part,
        to: this.owners[part.slot],
        asking: false,
        naming: "EVALSHA"
      }))
      return Effect.as(this.rounds(first, results, within), results)
    })
  }

  /** `hops`: how often one was sent on; `waits`: how often a slot on its way was waited for, which time alone bounds. */
  rounds(
    sendings: ReadonlyArray<Sending>,
    results: Array<Result>,
    within: number,
    hops = 0,
    waits = 1
  ): Effect.Effect<void> {
    const end = performance.now() + within
    return Effect.flatMap(this.round(sendings, results, within), (again) => {
      const left = end - performance.now()
      if (again.length === 0 || hops >= maxHops || left <= 1) return Effect.void
      const isHalf = again.some(({ to }) => to === undefined)
      const next = Effect.suspend(() => {
        const rest = end - performance.now()
        // With no time for a reply what was said last stands.
        if (rest <= 1) return Effect.void
        return this.rounds(again, results, rest, isHalf ? hops : hops + 1, isHalf ? waits + 1 : waits)
      })
      return isHalf ? Effect.andThen(Effect.sleep(Math.min(patience * waits, left / 2)), next) : next
    })
  }

  /** Sends each node its part; gives what has to be sent again. */
  round(
    sendings: ReadonlyArray<Sending>,
    results: Array<Result>,
    within: number
  ): Effect.Effect<ReadonlyArray<Sending>> {
    const groups = new Map<Address, Array<Sending>>()
    for (const sending of sendings) {
      const to = sending.to ?? this.owners[sending.part.slot]
      if (to === undefined) {
        this.look()
        continue
      }
      const others = groups.get(to)
      if (others === undefined) groups.set(to, [sending])
      else others.push(sending)
    }
    const sent = Effect.forEach(groups, ([to, group]) => this.send(to, group, results, within), {
      concurrency: "unbounded"
    })
    return Effect.map(sent, (again) => again.flat())
  }

  send(
    to: Address,
    group: ReadonlyArray<Sending>,
    results: Array<Result>,
    within: number
  ): Effect.Effect<ReadonlyArray<Sending>> {
    // An ASKING is for the one command behind it.
    const batch = () =>
      group.flatMap(({ asking, naming, part }) =>
        asking ? [new Command("asking"), part.command(naming)] : [part.command(naming)]
      )
    const connection = this.node(to)
    const request = connection.requestEach(batch, within)
    // A node that was met just now has to be reached first.
    const met = connection.tried
      ? request
      : Effect.andThen(Effect.timeoutOption(connection.attempted.await, within), request)
    return Effect.match(met, {
      onFailure: (error) => {
        // It may be gone for good, and another one have its slots.
        this.look()
        for (const { index } of group) results[index] = error
        return []
      },
      onSuccess: (replies) => {
        let at = 0
        let taught = false
        return group.flatMap((sending) => {
          if (sending.asking) at++
          const reply = replies[at++]
          const again = reply instanceof Error ? this.redirected(sending, to, reply) : undefined
          results[sending.index] = reply instanceof Error ? fault(reply) : { reply }
          // One that brings the script teaches the node, for all that come behind it on this connection.
          if (again?.[0]?.naming === "EVAL" && taught)
            return again.map((one): Sending => ({ ...one, naming: "EVALSHA" }))
          taught ||= again?.[0]?.naming === "EVAL"
          return again ?? []
        })
      }
    })
  }

  redirected(sending: Sending, from: Address, error: Error): ReadonlyArray<Sending> | undefined {
    const found = redirection.parse(error.message, endpointOf(from).host)
    if (found === undefined) return undefined
    if (found._tag === "NoScript") return [{ ...sending, to: from, naming: "EVAL" }]
    if (found._tag === "TryAgain")
      return sending.part.patient ? [{ ...sending, to: undefined, asking: false }] : undefined
    if (found._tag === "Ask") return [{ ...sending, to: found.to, asking: true }]
    this.moved(found.slot, found.to)
    return [{ ...sending, to: found.to, asking: false }]
  }

  moved(slot: number, to: Address): void {
    if (this.owners[slot] !== to) this.owners = this.owners.with(slot, to)
    this.look()
  }

  /** Looks at who has what, in the background, and not too often. */
  look(): void {
    if (this.looking || this.closing) return
    const wait = this.lookedAt + (this.known ? pause : firstPause) - performance.now()
    if (wait > 0) {
      this.later ??= setTimeout(() => {
        this.later = undefined
        this.look()
      }, wait).unref()
      return
    }
    this.looking = true
    this.lookedAt = performance.now()
    // A seed may be a name for all of them, and no primary by itself: it is asked where nobody else answers.
    if (!this.isUp) for (const seed of this.surroundings.seeds) this.node(addressOf(seed))
    this.askOne([...this.nodes.values()])
  }

  askOne([connection, ...others]: ReadonlyArray<Connection>): void {
    const next = (): void => this.askOne(others)
    if (connection === undefined) {
      this.looking = false
      if (!this.known) this.look()
      return
    }
    if (connection.check() !== undefined) return next()
    let slots: unknown
    const command = new Command("cluster", ["SLOTS"], { replyEncoding: "utf8" }, (_error, reply) => {
      slots = reply
    })
    const done = (): void => {
      const owners = ownersOf(slots, connection.host)
      if (owners === undefined) return next()
      this.looking = false
      this.learn(owners)
    }
    connection.send([command], this.surroundings.timeout, done, next)
  }

  learn(owners: ReadonlyArray<Address | undefined>): void {
    if (this.closing) return
    this.owners = owners
    this.known = true
    const primaries = new Set(owners)
    for (const address of primaries) if (address !== undefined) this.node(address)
    for (const [address, connection] of this.nodes) {
      if (primaries.has(address)) continue
      this.nodes.delete(address)
      Effect.runFork(connection.close())
    }
  }

  get isUp(): boolean {
    if (!this.known) return false
    for (const connection of this.nodes.values()) if (connection.check() === undefined) return true
    return false
  }

  /** Waits until some node can answer. */
  ready(within: number): Effect.Effect<boolean> {
    const up = Effect.sync(() => this.isUp)
    const wait = Effect.repeat(Effect.andThen(Effect.sleep(patience), up), { until: (is) => is })
    return Effect.flatMap(up, (is) =>
      is ? Effect.succeed(true) : Effect.timeoutOrElse(wait, { duration: within, orElse: () => Effect.succeed(false) })
    )
  }

  /** Waits until it is known who has what, and each of them was tried. */
  attempted(within: number): Effect.Effect<void> {
    const isTried = () => this.known && [...this.nodes.values()].every((node) => node.tried)
    const wait = Effect.repeat(Effect.andThen(Effect.sleep(patience), Effect.sync(isTried)), { until: (is) => is })
    return Effect.asVoid(Effect.timeoutOption(wait, within))
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closing = true
      clearTimeout(this.later)
      return Effect.forEach([...this.nodes.values()], (node) => node.close(), {
        concurrency: "unbounded",
        discard: true
      })
    })
  }
}

const unknownSlot = new CacheStoreError({
  reason: "Closed",
  message: "no node of the cluster is known to have the slot"
})
