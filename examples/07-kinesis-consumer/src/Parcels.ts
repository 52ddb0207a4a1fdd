/** The domain: a parcel is scanned on its way. */
import * as Envelope from "@leat/core/Envelope"
import * as Event from "@leat/core/Event"
import * as Worker from "@leat/core/Worker"
import * as Schema from "effect/Schema"

const Scanned = Event.make("Scanned", {
  payload: Schema.Struct({ parcel: Schema.String, at: Schema.String }),
  key: ({ parcel }) => parcel,
  id: ({ at, parcel }) => `${parcel}-${at}`
})

/** As it travels: under its own id, so that a repeat is known for one. */
export const envelopeOf = (scan: { readonly parcel: string; readonly at: string }): Envelope.Envelope =>
  Envelope.make({ type: Scanned.tag, data: scan, id: `${scan.parcel}-${scan.at}`, key: scan.parcel })

/** Remembers the way of each parcel. */
export const makeTracker = () => {
  const ways = new Map<string, Array<string>>()
  const tracker = Worker.make("tracker", {
    events: [Scanned],
    handle: {
      *Scanned({ at, parcel }) {
        ways.set(parcel, [...(ways.get(parcel) ?? []), at])
      }
    }
  })
  return { tracker, ways }
}
