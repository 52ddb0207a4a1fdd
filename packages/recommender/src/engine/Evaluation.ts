/**
 * Measures how good recommendations are, by strong generalisation: whole users are held out, part of a held-out user's
 * likes is shown to the model, and the model must find the rest among all items.
 *
 * **Details**
 *
 * The protocol is that of Liang et al. 2018 with users in folds. Metrics are over the full ranking: one like among a
 * sample of 99 others measures something else (Krichene and Rendle 2020). Every draw is seeded, so figures repeat exactly.
 *
 * @since 0.1.0
 */
import type { Model } from "./Model.ts"
import * as Random from "./Random.ts"
import * as Ratings from "./Ratings.ts"
import * as Scorer from "./Scorer.ts"

/**
 * Users to train on and held-out users to ask about.
 *
 * @category models
 * @since 0.1.0
 */
export interface Split {
  readonly train: Ratings.Ratings
  readonly cases: ReadonlyArray<Case>
}

/**
 * A held-out user: the likes that are shown (`history`, places in `train.itemIds`) and the ids that must be found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Case {
  readonly history: ReadonlyArray<number>
  readonly wanted: ReadonlySet<number>
}

/**
 * Means over users; `error` is the standard error of the mean of ndcg100.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly users: number
  readonly recall10: number
  readonly recall20: number
  readonly recall50: number
  readonly ndcg20: number
  readonly ndcg100: number
  readonly error: number
  /** The share of the items that stand in somebody's first 20. */
  readonly coverage20: number
  /** The share of the first-20 places that go to the 20 most popular items. */
  readonly popular20: number
}

/** The seed of Liang et al.'s published splits. */
const SEED = 98765
const LEAST = 5

/**
 * Splits the users into ten folds and holds out one; the fold after it is left for choosing options and is not trained on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fold = (ratings: Ratings.Ratings, f: number): Split => {
  const users = shuffledUsers(ratings)
  const slice = (k: number) =>
    users.slice(Math.floor((k * users.length) / 10), Math.floor(((k + 1) * users.length) / 10))
  const train = Array.from({ length: 10 }, (_, k) => k).filter((k) => k !== f && k !== (f + 1) % 10)
  return split(ratings, train.flatMap(slice), slice(f))
}

/**
 * Holds out the first `share` of the shuffled users.
 *
 * @category constructors
 * @since 0.1.0
 */
export const holdOut = (ratings: Ratings.Ratings, share: number): Split => {
  const users = shuffledUsers(ratings)
  const held = Math.floor(users.length * share)
  return split(ratings, users.slice(held), users.slice(0, held))
}

const shuffledUsers = (ratings: Ratings.Ratings): ReadonlyArray<number> => {
  const users = [...ratings.userIds.keys()].filter((u) => Ratings.row(ratings.positives, u).length >= LEAST)
  return Random.shuffle(Random.make(SEED), users)
}

const split = (all: Ratings.Ratings, training: ReadonlyArray<number>, held: ReadonlyArray<number>): Split => {
  const train = Ratings.restrict(all, training)
  const places = Ratings.placesOf(train.itemIds)
  return { train, cases: held.flatMap((u) => caseOf(all, u, places)) }
}

const caseOf = (all: Ratings.Ratings, u: number, places: ReadonlyMap<number, number>): ReadonlyArray<Case> => {
  const ids = Array.from(Ratings.row(all.positives, u), (item) => all.itemIds[item] ?? 0)
  const known = ids.filter((id) => places.has(id)).toSorted((a, b) => a - b)
  if (known.length < LEAST) return []
  Random.shuffle(Random.make(SEED + (all.userIds[u] ?? 0)), known)
  const wanted = Math.floor(known.length * 0.2)
  const history = known.slice(wanted).map((id) => places.get(id) ?? 0)
  return [{ wanted: new Set(known.slice(0, wanted)), history }]
}

/**
 * Asks a model about every case. `show` limits how many likes it may use (0: the popularity list); what isn't shown is
 * still not to be recommended.
 *
 * @category combinators
 * @since 0.1.0
 */
export const run = (model: Model, cases: ReadonlyArray<Case>, show: number = Infinity): Report => {
  const scorer = Scorer.make(model)
  const lists = cases.map(({ history, wanted }) => ({
    ids: scorer.top(history.slice(0, show), history, 100),
    wanted
  }))
  return {
    ...measure(lists),
    ...breadth(
      lists.map(({ ids }) => ids.slice(0, 20)),
      scorer.top([], [], 20),
      model
    )
  }
}

/**
 * A ranking beside what it should have found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly ids: ReadonlyArray<number>
  readonly wanted: ReadonlySet<number>
}

/**
 * The means of the metrics over answers.
 *
 * @category combinators
 * @since 0.1.0
 */
export const measure = (answers: ReadonlyArray<Answer>): Omit<Report, "coverage20" | "popular20"> => {
  const ndcgs = answers.map((answer) => ndcg(answer, 100))
  const ndcg100 = mean(ndcgs)
  const variance = ndcgs.reduce((sum, x) => sum + (x - ndcg100) ** 2, 0) / Math.max(1, ndcgs.length - 1)
  return {
    users: answers.length,
    recall10: mean(answers.map((answer) => recall(answer, 10))),
    recall20: mean(answers.map((answer) => recall(answer, 20))),
    recall50: mean(answers.map((answer) => recall(answer, 50))),
    ndcg20: mean(answers.map((answer) => ndcg(answer, 20))),
    ndcg100,
    error: Math.sqrt(variance / Math.max(1, ndcgs.length))
  }
}

/**
 * The share of the wanted ids among the first `k`, of at most `k`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const recall = ({ ids, wanted }: Answer, k: number): number =>
  wanted.size === 0 ? 0 : ids.slice(0, k).filter((id) => wanted.has(id)).length / Math.min(k, wanted.size)

/**
 * The discounted gain of the first `k` against the best possible (Järvelin and Kekäläinen 2002), hits counting one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const ndcg = ({ ids, wanted }: Answer, k: number): number => {
  const reached = ids.slice(0, k).reduce((sum, id, rank) => sum + (wanted.has(id) ? gain(rank) : 0), 0)
  let ideal = 0
  for (let rank = 0; rank < Math.min(k, wanted.size); rank++) ideal += gain(rank)
  return ideal === 0 ? 0 : reached / ideal
}

const gain = (rank: number): number => 1 / Math.log2(rank + 2)

const breadth = (lists: ReadonlyArray<ReadonlyArray<number>>, popular: ReadonlyArray<number>, model: Model) => {
  const places = lists.flat()
  const crowd = new Set(popular)
  return {
    coverage20: new Set(places).size / Math.max(1, model.itemIds.length),
    popular20: places.filter((id) => crowd.has(id)).length / Math.max(1, places.length)
  }
}

const mean = (xs: ReadonlyArray<number>): number => xs.reduce((sum, x) => sum + x, 0) / Math.max(1, xs.length)
