/**
 * A film, as the catalogue and the importer know it.
 *
 * @since 0.1.0
 */

/**
 * A film. Its id is a positive 32-bit integer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Movie {
  readonly id: number
  readonly title: string
  readonly year?: number
  readonly genres: ReadonlyArray<string>
}
