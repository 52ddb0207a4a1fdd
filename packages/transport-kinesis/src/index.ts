export * as EventSourceMapping from "./EventSourceMapping.ts"
export * as KinesisPublisher from "./KinesisPublisher.ts"
