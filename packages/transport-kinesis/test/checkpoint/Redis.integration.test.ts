import * as Redis from "@leat/transport-kinesis/checkpoint/Redis"
import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"
import * as Redacted from "effect/Redacted"
import { inject } from "vitest"

CheckpointSuite.suite("Redis", Redis.layer({ url: Redacted.make(inject("redis").url) }))
