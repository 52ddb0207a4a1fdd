import * as Checkpoint from "@leat/transport-kinesis/Checkpoint"
import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"

CheckpointSuite.suite("memory", Checkpoint.layerMemory)
