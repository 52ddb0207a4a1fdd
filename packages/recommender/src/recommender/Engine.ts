/**
 * The recommender in this process: the engine, trained when the layer is built.
 *
 * @since 0.1.0
 */
import { existsSync } from "node:fs"

import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

import * as Catalog from "../engine/Catalog.ts"
import * as Engine from "../engine/Engine.ts"
import type { Movie } from "../engine/Movie.ts"
import * as MovieLens from "../engine/MovieLens.ts"
import type { Ratings } from "../engine/Ratings.ts"
import * as Snapshot from "../engine/Snapshot.ts"
import * as Trainer from "../engine/Trainer.ts"
import { Recommender } from "../Recommender.ts"
import type { RecommendRequest } from "../Recommender.ts"

/**
 * A recommender around an engine that is ready.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (engine: Engine.Engine): Recommender["Service"] => {
  const rank = ({ top_n, user_id }: RecommendRequest) => engine.recommend(user_id, top_n)
  return {
    model: () => engine.version,
    recommend: (request) => Effect.sync(() => rank(request)),
    recommendMany: (requests) => Effect.sync(() => requests.map((request) => Exit.succeed(rank(request)))),
    popular: (top_n) => Effect.sync(() => engine.popular(top_n))
  }
}

/**
 * Trains on the embedded catalogue, in a thread of its own.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Recommender, Trainer.TrainError> = Layer.effect(
  Recommender,
  Effect.suspend(() => {
    const catalog = Catalog.make()
    return trained(Catalog.ratings(catalog), catalog.movies)
  })
)

/**
 * As {@link layer}, or from the operator's own data: `RECOMMENDER_SNAPSHOT` names a snapshot file to serve, or to write
 * after training where it doesn't exist; `MOVIELENS_DIR` a folder with `ratings.csv` and `movies.csv` to train on.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<
  Recommender,
  Config.ConfigError | Trainer.TrainError | MovieLens.MovieLensError | Snapshot.SnapshotError
> = Layer.effect(
  Recommender,
  Effect.gen(function* () {
    const snapshot = yield* Config.option(Config.NonEmptyString("RECOMMENDER_SNAPSHOT"))
    const folder = yield* Config.option(Config.NonEmptyString("MOVIELENS_DIR"))
    if (Option.isSome(snapshot)) return make(Engine.make(yield* readOrTrain(snapshot.value, folder)))
    return yield* Effect.flatMap(source(folder), ({ movies, ratings }) => trained(ratings, movies))
  })
)

const trained = (ratings: Ratings, movies: ReadonlyArray<Movie>) =>
  Effect.map(Trainer.train(ratings), (model) => make(Engine.make({ model, ratings, movies })))

const source = (folder: Option.Option<string>) =>
  Option.match(folder, {
    onNone: () =>
      Effect.sync(() => {
        const catalog = Catalog.make()
        return { ratings: Catalog.ratings(catalog), movies: catalog.movies }
      }),
    onSome: (path) => MovieLens.load(path)
  })

const readOrTrain = Effect.fnUntraced(function* (path: string, folder: Option.Option<string>) {
  if (existsSync(path)) return yield* Snapshot.read(path)
  const { movies, ratings } = yield* source(folder)
  const snapshot = { model: yield* Trainer.train(ratings), ratings, movies }
  yield* Snapshot.write(path, snapshot)
  return snapshot
})
