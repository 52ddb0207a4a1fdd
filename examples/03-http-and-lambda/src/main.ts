/** One worker, unchanged, in two programs. */
import * as BehindHttp from "./BehindHttp.ts"
import * as BehindLambda from "./BehindLambda.ts"
import { questions } from "./Questions.ts"

console.log("behind HTTP")
for (const answer of await BehindHttp.ask(questions)) console.log(`  ${answer}`)

console.log("behind Lambda")
for (const answer of await BehindLambda.ask(questions)) console.log(`  ${answer}`)
