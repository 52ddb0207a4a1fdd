import { createHash, createHmac } from "node:crypto"

import { assert, describe, it } from "@effect/vitest"
import { CacheStoreError } from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"

import { IamTokens, sign } from "../src/internal/iam.ts"

const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }
const request = { cacheName: "Movies", serverless: false, region: "eu-west-1", username: "app" }
const now = Date.UTC(2026, 10, 26, 9, 30, 15)

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest()

/** The signature of a token by the words of AWS's specification, without the SDK. */
const expected = (query: string): string => {
  const scope = "20261126/eu-west-1/elasticache/aws4_request"
  const empty = createHash("sha256").update("").digest("hex")
  const canonical = ["GET", "/", query, "host:movies", "", "host", empty].join("\n")
  const hash = createHash("sha256").update(canonical).digest("hex")
  const key = ["eu-west-1", "elasticache", "aws4_request"].reduce<Buffer>(
    (last, part) => hmac(last, part),
    hmac(`AWS4${credentials.secretAccessKey}`, "20261126")
  )
  return hmac(key, `AWS4-HMAC-SHA256\n20261126T093015Z\n${scope}\n${hash}`).toString("hex")
}

describe("a token of IAM", () => {
  for (const [title, more] of [
    ["a replication group", {}],
    ["a serverless cache", { serverless: true }],
    ["credentials for a session", { session: "token/with+signs=" }]
  ] as const) {
    it.effect(`for ${title} is a request signed as the specification says`, () =>
      Effect.gen(function* () {
        const { session, ...rest } = { session: undefined, ...more }
        const token = yield* Effect.promise(() =>
          sign({ ...request, ...rest }, { ...credentials, sessionToken: session }, now)
        )
        assert.isTrue(token.startsWith("movies/?"), token)
        const pairs = token.slice("movies/?".length).split("&")
        const signature = pairs.find((pair) => pair.startsWith("X-Amz-Signature="))?.split("=")[1]
        const canonical = pairs.filter((pair) => !pair.startsWith("X-Amz-Signature=")).toSorted()
        assert.strictEqual(signature, expected(canonical.join("&")))
        assert.include(canonical, "Action=connect")
        assert.include(canonical, "User=app")
        assert.include(canonical, "X-Amz-Expires=900")
        assert.strictEqual(canonical.includes("ResourceType=ServerlessCache"), title === "a serverless cache")
        assert.notInclude(token, "wJalr")
      })
    )
  }

  it.live("is renewed after ten minutes, once for all who ask", () =>
    Effect.gen(function* () {
      let time = now
      let asked = 0
      const tokens = new IamTokens(
        request,
        async () => (asked++, credentials),
        () => time
      )
      yield* Effect.promise(() => Promise.all([tokens.renewed(), tokens.renewed(), tokens.renewed()]))
      const first = tokens.token
      time += 599_000
      yield* Effect.promise(() => tokens.renewed())
      assert.deepStrictEqual([asked, tokens.token], [1, first])
      time += 2_000
      yield* Effect.promise(() => tokens.renewed())
      assert.strictEqual(asked, 2)
      assert.notStrictEqual(tokens.token, first)
    })
  )

  it.live("that can't be had is an error without a secret", () =>
    Effect.gen(function* () {
      const broken = new IamTokens(
        request,
        () => Promise.reject(new Error("secret wJalr")),
        () => now
      )
      const error = yield* Effect.promise(() =>
        broken.renewed().then(
          () => undefined,
          (reason: unknown) => reason
        )
      )
      assert.instanceOf(error, CacheStoreError)
      const { message, reason } = error
      assert.strictEqual(reason, "Auth")
      assert.notInclude(JSON.stringify(error) + message, "wJalr")
    })
  )
})
