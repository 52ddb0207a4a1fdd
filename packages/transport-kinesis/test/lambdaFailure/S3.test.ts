import { PutObjectCommand, S3Client, ListObjectsV2Command } from "@aws-sdk/client-s3"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import { configOf } from "../../src/lambdaFailure/AwsClient.ts"
import type * as FailureSource from "../../src/lambdaFailure/FailureSource.ts"
import * as S3 from "../../src/lambdaFailure/S3.ts"
import { about } from "./documents.ts"
import { aws } from "./fauxqs.ts"
import { trickling } from "./trickling.ts"

const starts = (letters: ReadonlyArray<FailureSource.Letter>) =>
  letters.flatMap(({ documents }) =>
    Result.isFailure(documents)
      ? [documents.failure.reason]
      : documents.success.map(({ KinesisBatchInfo }) => KinesisBatchInfo.startSequenceNumber)
  )

const folder = "aws/lambda/8f0b/shardId-000000000001/2026/01/31"

/** A bucket with objects, and its keys. */
const bucketOf = Effect.fnUntraced(function* (objects: { readonly [key: string]: string }) {
  const { bucket, endpoint } = yield* aws
  const client = new S3Client({ ...configOf({ endpoint }), forcePathStyle: true })
  yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
  const put = (key: string, body: string) =>
    Effect.promise(() => client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })))
  yield* Effect.forEach(Object.entries(objects), ([key, body]) => put(key, body), { concurrency: 4 })
  const keys = Effect.promise(async () => {
    const { Contents: contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
    return contents.map(({ Key: key }) => key)
  })
  return { bucket, endpoint, keys, put }
})

describe("a bucket of documents", () => {
  it.effect(
    "T74: gives the objects of its prefix by their keys, folders left out, and deletes what is acknowledged",
    () =>
      Effect.gen(function* () {
        const { keys, ...where } = yield* bucketOf({
          [`${folder}/b`]: about({ shardId: "a", start: "2" }),
          [`${folder}/a`]: about({ shardId: "a", start: "1" }),
          [`${folder}/c`]: "{nope",
          [`${folder}/`]: "",
          "logs/x": "not ours"
        })
        const next = yield* S3.source(where).open
        const [first, ...others] = yield* next(2)
        assert.deepStrictEqual(starts([...(first === undefined ? [] : [first]), ...others]), ["1", "2"])
        yield* first?.acknowledge ?? Effect.die("no letter")
        assert.deepStrictEqual(starts(yield* next(2)), ["NotJson"])
        assert.deepStrictEqual(yield* next(2), [])
        assert.deepStrictEqual(yield* keys, [`${folder}/`, `${folder}/b`, `${folder}/c`, "logs/x"])
      })
  )

  it.effect("T74: goes from page to page, also when what was on them is gone", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 8 }, (_, index) => `${folder}/${index}`)
      const { bucket, endpoint } = yield* bucketOf(Object.fromEntries(names.map((name) => [name, "{"])))
      const next = yield* S3.source({ bucket, endpoint, pageSize: 3 }).open
      const first = yield* next(4)
      yield* Effect.forEach(first, (letter) => letter.acknowledge)
      const rest = yield* next(100)
      assert.deepStrictEqual(
        [...first, ...rest].map(({ id }) => id),
        names
      )
    })
  )

  it.effect("regression: goes on behind a page of nothing but folders", () =>
    Effect.gen(function* () {
      const { bucket, endpoint } = yield* bucketOf({ "aws/lambda/t/": "", "aws/lambda/u/": "", "aws/lambda/u/a": "{" })
      const next = yield* S3.source({ bucket, endpoint, pageSize: 1 }).open
      assert.deepStrictEqual(
        (yield* next(10)).map(({ id }) => id),
        ["aws/lambda/u/a"]
      )
    })
  )

  it.live("regression: a bucket that gives an object by a letter now and then is unavailable in the end", () =>
    Effect.gen(function* () {
      const endpoint = yield* trickling
      const read = yield* S3.objects({ endpoint, requestTimeout: "50 millis" })
      const error = yield* Effect.timeout(Effect.flip(read({ bucket: "b", key: "k" })), "3 seconds")
      assert.deepInclude(error, { reason: "Unavailable", operation: "GetObject", retryable: true })
    })
  )

  it.effect("moves what is acknowledged where that is wanted, whatever is in its key", () =>
    Effect.gen(function* () {
      const key = `${folder}/a b+ü&?%41`
      const { keys, ...where } = yield* bucketOf({ [key]: about({ shardId: "a", start: "1" }) })
      const next = yield* S3.source({ ...where, acknowledged: { moveTo: "done/" } }).open
      const [letter] = yield* next(10)
      yield* letter?.acknowledge ?? Effect.die("no letter")
      assert.deepStrictEqual(yield* keys, [`done/${key}`])
    })
  )

  it.effect("refuses to move to where it reads, and pages of nothing", () =>
    Effect.gen(function* () {
      const moveTo = "aws/lambda/done/"
      const error = yield* Effect.flip(Effect.scoped(S3.source({ bucket: "b", acknowledged: { moveTo } }).open))
      assert.strictEqual(error.reason, "Invalid")
      assert.include(error.message, "would be redriven again")
      const empty = yield* Effect.flip(Effect.scoped(S3.source({ bucket: "b", pageSize: 0 }).open))
      assert.include(empty.message, "`pageSize` is 0")
    })
  )

  it.effect("passes over an object that another redrive took; a bucket that is not there is an error", () =>
    Effect.gen(function* () {
      const names = ["1", "2", "3"]
      const { bucket, endpoint } = yield* bucketOf(
        Object.fromEntries(names.map((start) => [`${folder}/${start}`, about({ shardId: "a", start })]))
      )
      const mine = yield* S3.source({ bucket, endpoint }).open
      assert.deepStrictEqual(starts(yield* mine(1)), ["1"])
      const others = yield* (yield* S3.source({ bucket, endpoint }).open)(2)
      yield* Effect.forEach(others, (letter) => letter.acknowledge)
      assert.deepStrictEqual(starts(yield* mine(1)), ["3"])
      const none = yield* S3.source({ bucket: "elsewhere", endpoint }).open
      assert.strictEqual((yield* Effect.flip(none(1))).reason, "NotFound")
    })
  )
})
