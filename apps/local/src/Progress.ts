/** One line that is drawn again: on a terminal in place, elsewhere now and then. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Draws `line()` until the scope closes, then once more. */
export const draw = (line: () => string): Effect.Effect<void, never, Scope.Scope> => {
  const inPlace = process.stdout.isTTY
  const show = Effect.sync(() => void process.stdout.write(inPlace ? `\r\u001B[2K${line()}` : `${line()}\n`))
  const end = Effect.sync(() => void process.stdout.write(inPlace ? `\r\u001B[2K${line()}\n` : `${line()}\n`))
  return Effect.gen(function* () {
    yield* Effect.addFinalizer(() => end)
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(inPlace ? 100 : 1_000), show)))
  })
}
