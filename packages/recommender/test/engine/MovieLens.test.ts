import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as MovieLens from "../../src/engine/MovieLens.ts"
import * as Csv from "../../src/engine/movielens/Csv.ts"

const movies = `movieId,title,genres
1,The Orchard of Velamoor (1971),Drama|Romance
2,"Goose, The (Oie, L') (1988)",Comedy
31,"Say ""Tavawick"" Twice",(no genres listed)
`
const ratings = `userId,movieId,rating,timestamp
1,2,4.0,964982703
1,1,5.0,964981247
7,31,0.5,847434962
`

const crlf = (text: string): string => text.replaceAll("\n", "\r\n")

const parse = (files: { readonly movies?: string; readonly ratings?: string }) =>
  MovieLens.parse({ movies: [files.movies ?? movies], ratings: [files.ratings ?? ratings] })

const fault = Effect.fnUntraced(function* (files: { readonly movies?: string; readonly ratings?: string }) {
  const { file, line, message, reason } = yield* Effect.flip(parse(files))
  return { file, line, reason, message }
})

describe("the MovieLens format", () => {
  it.effect("gives titles with commas and quotes, years, genres, and ratings in the order of time", () =>
    Effect.gen(function* () {
      const read = yield* parse({})
      assert.deepStrictEqual(read.movies, [
        { id: 1, title: "The Orchard of Velamoor", year: 1971, genres: ["Drama", "Romance"] },
        { id: 2, title: "Goose, The (Oie, L')", year: 1988, genres: ["Comedy"] },
        { id: 31, title: 'Say "Tavawick" Twice', genres: [] }
      ])
      assert.deepStrictEqual([...read.ratings.userIds], [1, 7])
      assert.deepStrictEqual([...read.ratings.positives.values], [0, 1])
      assert.deepStrictEqual([...read.ratings.seen.values], [0, 1, 2])
    })
  )

  it.effect("is the same with CRLF, with a byte order mark, and without a last line break", () =>
    Effect.gen(function* () {
      const expected = yield* parse({})
      assert.deepStrictEqual(yield* parse({ movies: crlf(movies), ratings: crlf(ratings) }), expected)
      assert.deepStrictEqual(yield* parse({ movies: `\uFEFF${movies}`, ratings: ratings.trimEnd() }), expected)
    })
  )

  it.effect.prop(
    "is the same in pieces cut anywhere",
    { size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 })) },
    Effect.fnUntraced(function* ({ size }) {
      const pieces = (text: string) =>
        Array.from({ length: Math.ceil(text.length / size) }, (_, k) => text.slice(k * size, (k + 1) * size))
      const read = yield* MovieLens.parse({ movies: pieces(movies), ratings: pieces(ratings) })
      assert.deepStrictEqual(read, yield* parse({}))
    }),
    { arbitrary: { runs: 30 } }
  )

  it.effect("is refused with the file, the line and the field of the first fault", () =>
    Effect.gen(function* () {
      const rows: ReadonlyArray<readonly [string, string]> = [
        ["0,1,4.0,1", 'userId must be a whole number from 1 to 2147483647, not "0"'],
        ["1e3,1,4.0,1", 'userId must be a whole number from 1 to 2147483647, not "1e3"'],
        ["1,2147483648,4.0,1", 'movieId must be a whole number from 1 to 2147483647, not "2147483648"'],
        ["1,3,4.0,1", "movieId 3 is not in movies.csv"],
        ["1,1,5.5,1", 'rating must be a number from 0.5 to 5, not "5.5"'],
        ["1,1,NaN,1", 'rating must be a number from 0.5 to 5, not "NaN"'],
        ["1,1,,1", 'rating must be a number from 0.5 to 5, not ""'],
        ["1,1,4.0,then", 'timestamp must be a whole number of seconds, not "then"'],
        ["1,1,4.0", "3 fields instead of 4"],
        ["", "1 fields instead of 4"],
        ['1,"1,4.0,1', "a quote is not closed"]
      ]
      for (const [row, message] of rows) {
        assert.deepStrictEqual(yield* fault({ ratings: `${ratings}${row}\n1,1,1,1\n` }), {
          file: "ratings.csv",
          line: 5,
          reason: "BadRow",
          message: `ratings.csv:5: ${message}`
        })
      }
    })
  )

  it.effect("is refused when a film is there twice or has no title", () =>
    Effect.gen(function* () {
      assert.include(
        (yield* fault({ movies: `${movies}2,Again,Drama\n` })).message,
        "movies.csv:5: movieId 2 is there twice"
      )
      assert.include((yield* fault({ movies: `${movies}3, ,Drama\n` })).message, "movies.csv:5: title is empty")
    })
  )

  it.effect("is refused when the header is another, when it is all there is, and when there is nothing", () =>
    Effect.gen(function* () {
      const header = yield* fault({ ratings: "user,item,rating\n1,1,1\n" })
      assert.deepStrictEqual([header.reason, header.line], ["BadHeader", 1])
      assert.strictEqual((yield* fault({ ratings: "userId,movieId,rating\n" })).reason, "Empty")
      assert.strictEqual((yield* fault({ movies: "" })).reason, "Empty")
    })
  )

  it.effect("is refused, and not collected in memory, when a line has no end", () =>
    Effect.gen(function* () {
      const { line, message } = yield* fault({ ratings: `${ratings}${"9".repeat(100_000)}` })
      assert.strictEqual(line, 5)
      assert.include(message, "longer than 65536 characters")
    })
  )

  it("splits fields as RFC 4180 says", () => {
    assert.deepStrictEqual(Csv.split('a,"b,""c""",,""'), ["a", 'b,"c"', "", ""])
    assert.deepStrictEqual(Csv.split('"a",'), ["a", ""])
    assert.strictEqual(Csv.split('"a"b'), "text after a closing quote")
    assert.strictEqual(Csv.split('a"b'), "a quote inside an unquoted field")
  })

  it.effect("is read from a folder; a missing file is named", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "leat-movielens-"))),
        (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
      )
      yield* Effect.promise(() => Fs.writeFile(Path.join(folder, "movies.csv"), movies))
      const error = yield* Effect.flip(MovieLens.load(folder))
      assert.deepStrictEqual([error.reason, Path.basename(error.file)], ["Unreadable", "ratings.csv"])
      yield* Effect.promise(() => Fs.writeFile(Path.join(folder, "ratings.csv"), ratings))
      assert.deepStrictEqual(yield* MovieLens.load(folder), yield* parse({}))
    })
  )
})
