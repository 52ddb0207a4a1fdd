import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"

import { App } from "./App.ts"

export const handler = KinesisLambda.make(recommendations, App)
