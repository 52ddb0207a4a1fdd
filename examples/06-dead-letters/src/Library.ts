/** The worker: it lends the films that its code knows. */
import * as Event from "@leat/core/Event"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const Wanted = Event.make("Wanted", {
  payload: Schema.Struct({ member: Schema.String, film: Schema.String }),
  key: ({ member }) => member,
  id: ({ film, member }) => `${member}-${film}`
})

class UnknownFilm extends Schema.TaggedError<UnknownFilm>()("UnknownFilm", { message: Schema.String }) {}

/** `first` runs before each event is handled. */
export const library = (films: ReadonlyArray<string>, first: Effect.Effect<void> = Effect.void) =>
  Worker.make("library", {
    events: [Wanted],
    handle: {
      *Wanted({ film, member }) {
        yield* first
        if (!films.includes(film)) yield* new UnknownFilm({ message: `there is no ${film}` })
        yield* Effect.sync(() => console.log(`  ${member} gets ${film}`))
      }
    }
  })
