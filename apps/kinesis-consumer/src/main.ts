import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "http-server/src/Exit.ts"

import { program } from "./App.ts"
import * as Ending from "./Ending.ts"

Ending.atOnceWhenAskedTwice()
program.pipe(
  Effect.tapCause((cause) => Exit.explain(cause, Ending.plain)),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: Exit.code })
)
