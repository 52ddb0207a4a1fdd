export * as KinesisClient from "./KinesisClient.ts"
export * as KinesisError from "./KinesisError.ts"
export * as LambdaEvent from "./LambdaEvent.ts"
export * as SequenceNumber from "./SequenceNumber.ts"
