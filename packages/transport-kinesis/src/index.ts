export * as EventSourceMapping from "./EventSourceMapping.ts"
