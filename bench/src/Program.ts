/** A Kinesis record as AWS Lambda hands it to a function (docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html). */
export interface KinesisEventRecord {
  readonly kinesis: {
    readonly kinesisSchemaVersion: string
    readonly partitionKey: string
    readonly sequenceNumber: string
    readonly data: string
    readonly approximateArrivalTimestamp: number
  }
  readonly eventSource: string
  readonly eventVersion: string
  readonly eventID: string
  readonly eventName: string
  readonly invokeIdentityArn: string
  readonly awsRegion: string
  readonly eventSourceARN: string
}

export interface KinesisEvent {
  readonly Records: Array<KinesisEventRecord>
}

export interface BatchReply {
  readonly batchItemFailures: ReadonlyArray<{ readonly itemIdentifier: string }>
}

export interface LambdaContext {
  readonly awsRequestId: string
  readonly functionName: string
  readonly getRemainingTimeInMillis: () => number
}

/** Where a program finds what it talks to. */
export interface Surroundings {
  /** Origin of the recommendation service, such as `http://127.0.0.1:8082`. */
  readonly recommender: string
  readonly redisHost: string
  readonly redisPort: number
  /** `DATABASE_URL` of a program that keeps a journal. */
  readonly database?: string | undefined
}

/** A Lambda function that does the whole job: decode, check, look up, ask, store, report the failures. */
export interface Program {
  readonly handler: (event: KinesisEvent, context: LambdaContext) => Promise<BatchReply>
  readonly close: () => Promise<void>
}

export type Make = (surroundings: Surroundings) => Promise<Program>

/** The context the bench hands to every program: time enough, so that no deadline is part of the measurement. */
export const context: LambdaContext = {
  awsRequestId: "6f1c2a9e-0b7d-4c11-9a51-000000000000",
  functionName: "movie-rec-kinesis-handler",
  getRemainingTimeInMillis: () => 30_000
}

/** The programs, by the file and the export that make them: the bundles of the cold start are built from the same lines. */
export const programs = {
  "hand-written": { file: "handWritten.ts", make: "make", what: "one MGET, undici `Pool.request`, one SETEX pipeline" },
  "hand-written, dispatch": {
    file: "handWrittenDispatch.ts",
    make: "make",
    what: "the same on undici `Pool.dispatch`"
  },
  naive: { file: "naive.ts", make: "make", what: "record after record: GET, `fetch`, SETEX" },
  middy: { file: "middy.ts", make: "make", what: "Middy 7 + zod, `Promise.allSettled`" },
  powertools: { file: "powertools.ts", make: "make", what: "Powertools batch, zod in the record handler" },
  "powertools, parser": { file: "powertoolsParser.ts", make: "makeDocumented", what: "its parser, as documented" },
  "powertools, extended schema": {
    file: "powertoolsParser.ts",
    make: "makeExtended",
    what: "its parser, schema built once"
  },
  leat: { file: "leat.ts", make: "make", what: "`apps/kinesis-lambda`" }
} as const

export type ProgramName = keyof typeof programs

export const isProgramName = (name: string): name is ProgramName => Object.hasOwn(programs, name)

/** Loads and makes a program; throws what its module or its constructor throws. */
export const load = async (name: ProgramName, surroundings: Surroundings): Promise<Program> => {
  const { file, make } = programs[name]
  const module: Record<string, Make | undefined> = await import(`./programs/${file}`)
  const constructor = module[make]
  if (constructor === undefined) throw new Error(`programs/${file} has no export ${make}`)
  return constructor(surroundings)
}
