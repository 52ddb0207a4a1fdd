import { assert, describe, it } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const Moved = Event.make("Moved", {
  version: 3,
  payload: Schema.Struct({ who: Schema.String, to: Schema.Struct({ city: Schema.String, zip: Schema.String }) }),
  key: (payload) => payload.who,
  partitionKey: (payload) => `person-${payload.who}`,
  id: (payload) => `${payload.who}@${payload.to.zip}`,
  upcasters: {
    1: (data) => ({ ...(data as object), zip: "00000" }),
    2: (data) => {
      const { city, who, zip } = data as { readonly who: string; readonly city: string; readonly zip: string }
      return { who, to: { city, zip } }
    }
  }
})

const failureOf = (result: Result.Result<unknown, { readonly reason: string; readonly message: string }>) =>
  Result.isFailure(result) ? result.failure : undefined

describe("Event", () => {
  it("decodes today's payload", () => {
    const data = { who: "ann", to: { city: "Ulm", zip: "89073" } }
    assert.deepStrictEqual(Moved.decode(data, 3), Result.succeed(data))
  })

  it("lifts an old payload step by step before it decodes", () => {
    assert.deepStrictEqual(
      Moved.decode({ who: "ann", city: "Ulm" }, 1),
      Result.succeed({ who: "ann", to: { city: "Ulm", zip: "00000" } })
    )
  })

  it("says apart that a payload is newer than the program", () => {
    assert.strictEqual(failureOf(Moved.decode({}, 4))?.reason, "NewerVersion")
  })

  it("says that no upcaster leads from a version", () => {
    const Plain = Event.make("Plain", { version: 2, payload: Schema.Struct({}), key: () => "k", id: () => "i" })
    assert.match(failureOf(Plain.decode({}, 1))?.message ?? "", /no upcaster/)
  })

  it("turns an upcaster's throw into a value", () => {
    assert.match(failureOf(Moved.decode(null, 2))?.message ?? "", /upcaster of Moved from version 2 threw/)
  })

  it("names every fault with its path, not only the first", () => {
    const decoded = Moved.decode({ who: 1, to: { city: "Ulm" } }, 3)
    assert.deepStrictEqual(Result.isFailure(decoded) ? decoded.failure.faults.map((fault) => fault.path) : [], [
      ["who"],
      ["to", "zip"]
    ])
  })

  it("keeps prototype keys out of the payload", () => {
    const hostile: unknown = JSON.parse('{"who":"ann","to":{"city":"Ulm","zip":"1"},"__proto__":{"admin":true}}')
    const decoded = Moved.decode(hostile, 3)
    assert.deepStrictEqual(Result.isSuccess(decoded) ? Object.keys(decoded.success) : [], ["who", "to"])
    assert.isUndefined(({} as { readonly admin?: boolean }).admin)
  })

  it("gives an emitted event its keys and its JSON form", () => {
    const emitted = Moved.make({ who: "ann", to: { city: "Ulm", zip: "1" } })
    assert.deepStrictEqual(
      [emitted.type, emitted.version, emitted.key, emitted.partitionKey],
      ["Moved", 3, "ann", "person-ann"]
    )
    assert.deepStrictEqual(emitted.data, { who: "ann", to: { city: "Ulm", zip: "1" } })
  })
})
