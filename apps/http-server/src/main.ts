import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { App } from "./App.ts"
import * as Exit from "./Exit.ts"
import * as Workers from "./Workers.ts"

Workers.run(Layer.launch(App)).pipe(
  Effect.tapCause((cause) => Exit.explain(cause)),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: Exit.code })
)
