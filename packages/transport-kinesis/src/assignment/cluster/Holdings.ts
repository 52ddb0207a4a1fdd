/**
 * What a machine wants and what it holds, by name.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * The books of a machine: offers write what is wanted, the answers of the store what is held.
 *
 * @category models
 * @since 0.1.0
 */
export interface Holdings {
  /** How many offers there are of each name. */
  readonly wanted: Map<string, number>
  readonly held: Set<string>
  /** Asked for, and not answered yet. */
  readonly asked: Set<string>
  /** Held until their runs have ended. */
  readonly leaving: Set<string>
}

/**
 * Begins with nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Holdings => ({ wanted: new Map(), held: new Set(), asked: new Set(), leaving: new Set() })

/**
 * Whether a name may run here, as far as the store's last answer says.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isHeld = ({ held, leaving }: Holdings, name: string): boolean => held.has(name) && !leaving.has(name)

/**
 * Whether a name's slot can't be another's.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isInUse = ({ asked, held, wanted }: Holdings, name: string): boolean =>
  wanted.has(name) || held.has(name) || asked.has(name)

/**
 * These are no longer the machine's.
 *
 * @category mutations
 * @since 0.1.0
 */
export const forget = ({ held, leaving }: Holdings, names: Iterable<string>): void => {
  for (const name of names) {
    held.delete(name)
    leaving.delete(name)
  }
}

/**
 * Wants a name until the scope closes.
 *
 * @category mutations
 * @since 0.1.0
 */
export const want = ({ wanted }: Holdings, name: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void wanted.set(name, (wanted.get(name) ?? 0) + 1)),
    () =>
      Effect.sync(() => {
        const others = (wanted.get(name) ?? 1) - 1
        if (others === 0) wanted.delete(name)
        else wanted.set(name, others)
      })
  )
