/**
 * Reads ratings and films in the format of the MovieLens data sets: `movies.csv` and `ratings.csv` of one folder.
 *
 * **Details**
 *
 * The files are read as streams; what stays in memory is 24 bytes a rating while reading and 8 after it. The format:
 * https://files.grouplens.org/datasets/movielens/ml-latest-small-README.html. Nothing is downloaded: the licence of those
 * data sets is between GroupLens and the operator.
 *
 * **Gotchas**
 *
 * The first bad row ends the import: a file that is wrong in one place is not a file to train on.
 *
 * @since 0.1.0
 */
import { createReadStream } from "node:fs"
import * as Path from "node:path"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Movie } from "./Movie.ts"
import * as Csv from "./movielens/Csv.ts"
import * as Rows from "./movielens/Rows.ts"
import * as Ratings from "./Ratings.ts"

/**
 * Why there is no import.
 *
 * **Details**
 *
 * - `Unreadable`: the file is missing or can't be read; the cause is the file system's error.
 * - `BadHeader`: the first line is not that of the format. `BadRow`: line `line` is not; the message names the field.
 * - `Empty`: no row but the header.
 *
 * @category errors
 * @since 0.1.0
 */
export class MovieLensError extends Schema.TaggedError<MovieLensError>()("@leat/recommender/engine/MovieLensError", {
  reason: Schema.Literals(["Unreadable", "BadHeader", "BadRow", "Empty"]),
  message: Schema.String,
  file: Schema.String,
  line: Schema.optionalKey(Schema.Int),
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * What was read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Import {
  readonly movies: ReadonlyArray<Movie>
  readonly ratings: Ratings.Ratings
}

/**
 * How to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The least rating that says "liked". Default 4. */
  readonly threshold?: number | undefined
}

/**
 * Reads `movies.csv` and `ratings.csv` of a folder.
 *
 * @category combinators
 * @since 0.1.0
 */
export const load: (folder: string, options?: Options) => Effect.Effect<Import, MovieLensError> = Effect.fn(
  "MovieLens.load"
)(function* (folder, options) {
  const movies = new Map<number, Movie>()
  yield* readFile(Path.join(folder, "movies.csv"), Rows.movies(movies))
  const ratings = Ratings.builder()
  yield* readFile(Path.join(folder, "ratings.csv"), Rows.ratings(ratings, movies))
  return { movies: [...movies.values()], ratings: ratings.build({ ...options, items: movies.keys() }) }
})

/**
 * Parses the same from text, whole or in pieces cut anywhere.
 *
 * @category combinators
 * @since 0.1.0
 */
export const parse = Effect.fnUntraced(function* (
  files: { readonly movies: Iterable<string>; readonly ratings: Iterable<string> },
  options?: Options
): Effect.fn.Return<Import, MovieLensError> {
  const movies = new Map<number, Movie>()
  yield* readPieces("movies.csv", files.movies, Rows.movies(movies))
  const ratings = Ratings.builder()
  yield* readPieces("ratings.csv", files.ratings, Rows.ratings(ratings, movies))
  return { movies: [...movies.values()], ratings: ratings.build({ ...options, items: movies.keys() }) }
})

const readPieces = (file: string, pieces: Iterable<string>, table: Csv.Table) =>
  Effect.suspend(() => {
    const reader = Csv.reader(table)
    for (const piece of pieces) reader.push(piece)
    return settle(file, reader.end())
  })

const readFile = (file: string, table: Csv.Table) =>
  Effect.tryPromise({
    try: async (signal) => {
      const reader = Csv.reader(table)
      for await (const piece of createReadStream(file, { encoding: "utf8", signal, highWaterMark: 1 << 18 })) {
        if (!reader.push(String(piece))) break
      }
      return reader.end()
    },
    catch: (cause) =>
      new MovieLensError({ reason: "Unreadable", message: `can't read ${file}`, file, retryable: false, cause })
  }).pipe(Effect.flatMap((fault) => settle(file, fault)))

const settle = (file: string, fault: Csv.Fault | undefined): Effect.Effect<void, MovieLensError> => {
  if (fault === undefined) return Effect.void
  const message = `${file}:${fault.line}: ${fault.message}`
  return Effect.fail(new MovieLensError({ reason: fault.reason, message, file, line: fault.line, retryable: false }))
}
