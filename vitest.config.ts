import { availableParallelism } from "node:os"

import { defineConfig } from "vitest/config"

const project = (name: string, include: ReadonlyArray<string>, extra = {}) => ({
  test: { name, include: [...include], ...extra }
})

export default defineConfig({
  test: {
    // The default leaves one of two cores to nobody: most of an integration test is waiting.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      // Needs no server: everything runs in memory.
      // Files of a worker share its process, so that modules are loaded once and not a hundred times.
      project("unit", ["{packages,apps}/*/test/**/*.test.ts", "{bench,scripts}/test/**/*.test.ts"], {
        isolate: false,
        exclude: ["**/*.integration.test.ts", "**/node_modules/**"]
      }),
      // Has a Redis (`inject("redis")`), a PostgreSQL (`inject("postgres")`), child processes and the network of this machine.
      project(
        "integration",
        ["{packages,apps}/*/test/**/*.integration.test.ts", "scripts/test/*.integration.test.ts"],
        {
          globalSetup: ["scripts/vitest-servers.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      ),
      // Written by scripts/doctest.ts.
      project("docs", ["packages/*/.doctest/*.test.ts", "apps/*/.doctest/*.test.ts"])
    ]
  }
})
