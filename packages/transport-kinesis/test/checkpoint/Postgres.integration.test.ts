import * as Postgres from "@leat/transport-kinesis/checkpoint/Postgres"
import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"
import * as Redacted from "effect/Redacted"
import { inject } from "vitest"

CheckpointSuite.suite("PostgreSQL", Postgres.layer({ url: Redacted.make(inject("postgres").url) }))
