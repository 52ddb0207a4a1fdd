/** Everything that a stream may hold and a worker must survive, with what the reason must say. */
import { createHash } from "node:crypto"

import type { Data } from "./Requests.ts"
import * as Requests from "./Requests.ts"

export interface BadRecord {
  readonly title: string
  readonly data: Data
  readonly says: RegExp
}

const magic = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)

const filler = (bytes: number): string => Requests.request({ user_id: "x".repeat(bytes) })

const nested = (levels: number): string =>
  `{"user_id":${"[".repeat(levels)}1${"]".repeat(levels)},"request_id":"deep","timestamp":"2025-10-24T10:30:00Z"}`

const cloudEvent = (fields: { readonly [name: string]: unknown }): string =>
  JSON.stringify({
    specversion: "1.0",
    id: "e-1",
    source: "tests",
    type: "RecommendationRequested",
    data: JSON.parse(Requests.request()),
    ...fields
  })

const topN = (value: string): string => Requests.request().replace('"user_id":123', `"user_id":123,"top_n":${value}`)

/** An aggregate whose checksum is of other bytes. */
const forged = Buffer.concat([magic, Buffer.from([0x0a, 0x01, 0x61, 0x1a, 0x02, 0x08, 0x00]), Buffer.alloc(16, 7)])

/** An aggregate with the right checksum whose message breaks off. */
const brokenOff = Uint8Array.of(0x0a, 0x05, 0x61)
const broken = Buffer.concat([magic, brokenOff, createHash("md5").update(brokenOff).digest()])

export const badRecords: ReadonlyArray<BadRecord> = [
  { title: "not base64", data: { raw: "%%%%" }, says: /not base64/ },
  { title: "base64 cut short", data: { raw: "eyJ1c2VyX2lkIjoxe" }, says: /not base64/ },
  { title: "a number where the base64 should be", data: { raw: 17 }, says: /not a string/ },
  { title: "no data at all", data: { raw: null }, says: /not a string/ },
  { title: "an empty record", data: "", says: /not JSON/ },
  { title: "not JSON", data: "{ user_id: 1", says: /not JSON/ },
  { title: "not UTF-8", data: Uint8Array.of(0x22, 0xff, 0xfe, 0x22), says: /not JSON in UTF-8/ },
  { title: "null", data: "null", says: /object|null/ },
  { title: "a list", data: "[]", says: /object|Struct|array|\[\]|user_id/i },
  { title: "a text", data: '"user 123"', says: /object|string/i },
  { title: "user_id as a text", data: Requests.request({ user_id: "123" }), says: /user_id/ },
  { title: "user_id 0", data: Requests.request({ user_id: 0 }), says: /user_id/ },
  { title: "user_id with a fraction", data: Requests.request({ user_id: 1.5 }), says: /user_id/ },
  { title: "user_id 2^53", data: Requests.request({ user_id: 2 ** 53 }), says: /user_id/ },
  { title: "a huge user_id", data: Requests.request().replace("123", `1${"0".repeat(400)}`), says: /user_id/ },
  { title: "no user_id", data: Requests.request({ user_id: undefined }), says: /user_id/ },
  { title: "top_n 0", data: topN("0"), says: /top_n/ },
  { title: "top_n 101", data: topN("101"), says: /top_n/ },
  { title: "top_n as a text", data: topN('"20"'), says: /top_n/ },
  { title: "top_n 1e999", data: topN("1e999"), says: /top_n/ },
  { title: "top_n null", data: topN("null"), says: /top_n/ },
  { title: "no request_id", data: Requests.request({ request_id: undefined }), says: /request_id/ },
  { title: "an empty request_id", data: Requests.request({ request_id: "" }), says: /request_id/ },
  {
    title: "a request_id of 10 000 characters",
    data: Requests.request({ request_id: "r".repeat(10_000) }),
    says: /request_id/
  },
  { title: "timestamp as a number", data: Requests.request({ timestamp: 1 }), says: /timestamp/ },
  {
    title: "user_id in a __proto__",
    data: Requests.request({ user_id: undefined }).replace("{", '{"__proto__":{"user_id":123},'),
    says: /user_id/
  },
  {
    title: "a CloudEvent of another type",
    data: cloudEvent({ type: "MovieRated" }),
    says: /no handler for the event "MovieRated"/
  },
  {
    title: "a CloudEvent of a type named __proto__",
    data: cloudEvent({ type: "__proto__" }),
    says: /no handler for the event "__proto__"/
  },
  { title: "a CloudEvent without id", data: cloudEvent({ id: undefined }), says: /`type` and `id`/ },
  { title: "a CloudEvent of another specification", data: cloudEvent({ specversion: "0.3" }), says: /specversion/ },
  { title: "a CloudEvent of a newer version", data: cloudEvent({ dataversion: 2 }), says: /deploy the newer one/ },
  { title: "a CloudEvent without data", data: cloudEvent({ data: undefined }), says: /object|undefined/i },
  { title: "an aggregate that is forged", data: forged, says: /not JSON in UTF-8/ },
  { title: "nothing but the magic number of aggregates", data: magic, says: /not JSON in UTF-8/ },
  { title: "an aggregate that breaks off", data: broken, says: /an aggregate.* that can't be read/ },
  { title: "100 000 levels deep", data: nested(100_000), says: /user_id|threw/ },
  { title: "1 MiB", data: filler(1024 * 1024), says: /user_id/ },
  { title: "10 MiB and more", data: filler(10 * 1024 * 1024), says: /the limit is 10485760/ }
]
