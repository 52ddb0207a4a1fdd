import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@leat/core/Codec"
import * as Envelope from "@leat/core/Envelope"
import * as Undecodable from "@leat/core/Undecodable"
import * as Schema from "effect/Schema"

const event = { tag: "Ordered", version: 2 }

const bytes = (text: string) => new TextEncoder().encode(text)

const reasonOf = (read: Envelope.Envelope | Undecodable.Undecodable) =>
  read instanceof Undecodable.Undecodable ? read.message : undefined

const cloudEvent = (attributes: object) =>
  bytes(JSON.stringify({ specversion: "1.0", id: "1", type: "Ordered", source: "shop", data: { a: 1 }, ...attributes }))

describe("Codec", () => {
  it("reads plain JSON as the payload of its one event", () => {
    assert.deepStrictEqual(
      Codec.json(event).decode(bytes('{"a":1}')),
      Envelope.make({ type: "Ordered", version: 2, data: { a: 1 } })
    )
  })

  it("reads the same from a Buffer and from any other bytes", () => {
    const text = '{"a":"grüße ✓"}'
    assert.deepStrictEqual(Codec.json(event).decode(Buffer.from(text)), Codec.json(event).decode(bytes(text)))
  })

  it("reads a replacement character that the sender wrote, and refuses bytes that are not UTF-8", () => {
    const written = Codec.json(event).decode(Buffer.from('{"a":"\uFFFD"}'))
    assert.deepStrictEqual("data" in written ? written.data : undefined, { a: "\uFFFD" })
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}')])
    assert.match(reasonOf(Codec.json(event).decode(broken)) ?? "", /not JSON in UTF-8/)
    assert.match(reasonOf(Codec.json(event).decode(new Uint8Array(broken))) ?? "", /not JSON in UTF-8/)
  })

  it("says how large a body may be", () => {
    const small = Codec.json(event, { maxBytes: 4 })
    assert.strictEqual(reasonOf(small.decode(bytes("[1,2]"))), "the record has 5 bytes, the limit is 4")
    assert.isUndefined(reasonOf(small.decode(bytes("[12]"))))
  })

  it("reads CloudEvents, structured", () => {
    const attributes = {
      time: "2026-11-23T00:00:00Z",
      partitionkey: "k",
      correlationid: "c",
      causationid: "b",
      dataversion: 3
    }
    assert.deepStrictEqual(
      Codec.cloudEvents().decode(cloudEvent(attributes)),
      Envelope.make({
        id: "1",
        type: "Ordered",
        source: "shop",
        version: 3,
        time: "2026-11-23T00:00:00Z",
        key: "k",
        correlationId: "c",
        causationId: "b",
        data: { a: 1 }
      })
    )
  })

  for (const [what, attributes] of [
    ["another version of the specification", { specversion: "0.3" }],
    ["no id", { id: "" }],
    ["a type that is no string", { type: 7 }],
    ["a data version that is none", { dataversion: "x" }],
    ["binary data", { data_base64: "AA==" }]
  ] as const) {
    it(`refuses a CloudEvent with ${what}`, () => {
      assert.isDefined(reasonOf(Codec.cloudEvents().decode(cloudEvent(attributes))))
    })
  }

  it("refuses plain JSON where CloudEvents are expected, of any shape", () => {
    for (const text of ["{}", "[]", "null", "1", '"x"']) {
      assert.match(reasonOf(Codec.cloudEvents().decode(bytes(text))) ?? "", /not a CloudEvent/)
    }
  })

  it("takes either where it may be either", () => {
    const either = Codec.jsonOrCloudEvents(event)
    const plain = either.decode(bytes('{"a":1}'))
    const structured = either.decode(cloudEvent({}))
    assert.deepStrictEqual(["id" in plain && plain.id, "id" in structured && structured.id], [undefined, "1"])
  })

  const Text = Schema.String.check(Schema.isMinLength(1))
  const AnyEnvelope = Schema.Struct({
    id: Text,
    type: Text,
    key: Text,
    data: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Int, Schema.Boolean]))
  })

  it.prop("writes what it reads back", [AnyEnvelope], ([written]) => {
    const codec = Codec.cloudEvents()
    const read = codec.decode(codec.encode(Envelope.make(written)))
    // Lone surrogates have no UTF-8 form, `-0` no JSON form.
    const normal: unknown = JSON.parse(Buffer.from(JSON.stringify(written)).toString())
    assert.deepStrictEqual(
      "data" in read ? { id: read.id, type: read.type, key: read.key, data: read.data } : read,
      normal
    )
  })

  it.prop(
    "never throws, whatever the bytes are",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))],
    ([numbers]) => {
      Codec.jsonOrCloudEvents(event).decode(Uint8Array.from(numbers))
    }
  )
})
