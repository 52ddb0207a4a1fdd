/**
 * A runner of effect's cluster that hears of nobody but through the store of leases: no port is opened.
 *
 * @since 0.1.0
 */
import { make as makeEntityId } from "effect/cluster/EntityId"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

import * as Slot from "./Slot.ts"
import * as Storage from "./Storage.ts"

/**
 * What a runner needs; times are milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Storage.Options {
  /** How many names may be offered at once. */
  readonly names: number
  readonly poll: number
}

/**
 * Where names are registered.
 *
 * @category constants
 * @since 0.1.0
 */
export const group = { shardGroup: "leat" } as const

/**
 * The slot that the cluster hashes a name to.
 *
 * @category getters
 * @since 0.1.0
 */
export const slotOf = (sharding: Sharding.Sharding["Service"], name: string): number =>
  sharding.getShardId(makeEntityId(name), group.shardGroup).id

/**
 * Runs until the scope closes; then it gives everything up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Sharding.Sharding["Service"], never, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Sharding.layer.pipe(
        Layer.provide([Runners.layerNoop, RunnerHealth.layerNoop]),
        Layer.provide([MessageStorage.layerNoop, Layer.sync(RunnerStorage, () => Storage.make(options))]),
        Layer.provide(ShardingConfig.layer(configOf(options)))
      )
    ),
    Context.get(Sharding.Sharding)
  )

const configOf = ({
  lease,
  machine,
  names,
  poll,
  renew
}: Options): Partial<ShardingConfig.ShardingConfig["Service"]> => ({
  // Only a name: nobody connects to it.
  runnerAddress: Option.some(RunnerAddress.make(machine, 0)),
  shardsPerGroup: Slot.count(names),
  availableShardGroups: [group.shardGroup],
  assignedShardGroups: [group.shardGroup],
  shardLockExpiration: Duration.millis(lease),
  shardLockRefreshInterval: Duration.millis(renew),
  refreshAssignmentsInterval: Duration.millis(poll),
  // How often it looks for slots that became free, and after a failure.
  entityMessagePollInterval: Duration.millis(poll)
})
