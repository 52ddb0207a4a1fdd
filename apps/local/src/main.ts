import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "http-server/src/Exit.ts"

import * as Local from "./Local.ts"
import * as Settings from "./Settings.ts"
import { System } from "./System.ts"

const settings = Settings.parse(process.argv.slice(2))

if ("help" in settings) {
  console.log(Settings.usage)
} else if ("fault" in settings) {
  console.error(`${settings.fault}\n\n${Settings.usage}`)
  process.exitCode = 2
} else {
  // The first asks everything to finish, which takes as long as the slowest; who asks twice won't wait.
  process.once("SIGINT", () => process.once("SIGINT", () => process.exit(130)))
  console.log("starting the stream, the service with its engine, and the Lambda")
  Local.run(settings).pipe(
    Effect.provide(System),
    Effect.tapCause((cause) => Exit.explain(cause, Local.plain)),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown: settings.once ? Exit.codeOfEnd : Exit.code })
  )
}
