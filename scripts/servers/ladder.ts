/** Ways to come by a server, tried in turn; the first that holds is taken. */
import { runs } from "./command.ts"

/** A Docker daemon that can run this image. */
export interface ServerImage {
  readonly kind: "image"
  readonly image: string
}

/** A server that somebody else runs. */
export interface ServerUrl {
  readonly kind: "url"
  readonly url: URL
}

/** A source of servers, or the reason why this rung doesn't hold. */
export type Rung<Source> = () => Source | string

/** The first source there is; without any it throws, with the reason of every rung and what to do. */
export const climb = <Source extends object>(
  server: string,
  rungs: ReadonlyArray<Rung<Source>>,
  advice: string
): Source => {
  const refusals: Array<string> = []
  for (const rung of rungs) {
    const found = rung()
    if (typeof found !== "string") return found
    refusals.push(found)
  }
  const reasons = refusals.map((reason) => `  - ${reason}`)
  throw new Error([`The tests need ${server} and there is no way to get one here:`, ...reasons, advice].join("\n"))
}

export const byDocker =
  (image: string): Rung<ServerImage> =>
  () =>
    runs("docker", ["info"]) ? { kind: "image", image } : "no Docker daemon answers"

/** The server that this variable of the environment names; undefined when it names none. */
export const serverUrl = (variable: string, schemes: ReadonlyArray<string>): ServerUrl | undefined => {
  const text = process.env[variable]
  if (text === undefined || text === "") return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && schemes.includes(url.protocol)) return { kind: "url", url }
  throw new Error(`${variable} is not a ${schemes.map((scheme) => `${scheme}//`).join(" or ")} URL`)
}
