/**
 * A missing layer as one readable compile error.
 *
 * @since 0.1.0
 */

/**
 * What the compiler shows when an entry point's layer lacks a service.
 *
 * @category models
 * @since 0.1.0
 */
export interface MissingServices<Services> {
  readonly "⛔ the layer does not provide": Services
}

/**
 * `unknown` when `Provided` covers `Needed`, else {@link MissingServices}: intersect an entry point's layer with it.
 *
 * @category models
 * @since 0.1.0
 */
export type Provides<Needed, Provided> = [Exclude<Needed, Provided>] extends [never]
  ? unknown
  : MissingServices<Exclude<Needed, Provided>>
