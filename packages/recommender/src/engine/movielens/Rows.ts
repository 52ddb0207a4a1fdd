/**
 * The rows of the two files, checked field by field.
 *
 * @since 0.1.0
 */
import type { Movie } from "../Movie.ts"
import type * as Ratings from "../Ratings.ts"
import type * as Csv from "./Csv.ts"

/**
 * The rows of `movies.csv`, put into `into`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const movies = (into: Map<number, Movie>): Csv.Table => ({
  headers: ["movieId,title,genres"],
  row: ([movieId = "", title = "", genres = ""]) => {
    const id = idOf(movieId)
    if (id === undefined) return notAnId("movieId", movieId)
    if (into.has(id)) return `movieId ${id} is there twice`
    if (title.trim() === "") return "title is empty"
    into.set(id, movieOf(id, title.trim(), genres))
    return undefined
  }
})

/**
 * The rows of `ratings.csv`, put into `into`. A rating of a film that isn't `known` is a fault.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ratings = (into: Ratings.Builder, known: ReadonlyMap<number, Movie>): Csv.Table => ({
  headers: ["userId,movieId,rating,timestamp", "userId,movieId,rating"],
  row: ([userId = "", movieId = "", stars = "", timestamp = "0"]) => {
    const user = idOf(userId)
    if (user === undefined) return notAnId("userId", userId)
    const movie = idOf(movieId)
    if (movie === undefined) return notAnId("movieId", movieId)
    if (!known.has(movie)) return `movieId ${movie} is not in movies.csv`
    const rating = /^\d(\.\d+)?$/.test(stars) ? Number(stars) : 0
    if (rating < 0.5 || rating > 5) return `rating must be a number from 0.5 to 5, not ${shown(stars)}`
    if (!/^\d{1,15}$/.test(timestamp)) return `timestamp must be a whole number of seconds, not ${shown(timestamp)}`
    into.add(user, movie, rating, Number(timestamp))
    return undefined
  }
})

const movieOf = (id: number, title: string, genres: string): Movie => {
  const dated = /^(.*\S)\s*\((\d{4})\)$/.exec(title)
  return {
    id,
    title: dated?.[1] ?? title,
    ...(dated?.[2] === undefined ? {} : { year: Number(dated[2]) }),
    genres: genres === "(no genres listed)" ? [] : genres.split("|").filter((genre) => genre !== "")
  }
}

const idOf = (text: string): number | undefined => {
  const id = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  return id >= 1 && id <= 0x7fffffff ? id : undefined
}

const notAnId = (field: string, text: string): string =>
  `${field} must be a whole number from 1 to 2147483647, not ${shown(text)}`

const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
