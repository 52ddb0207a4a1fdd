import { defineConfig } from "vitest/config"

const project = (name: string, include: ReadonlyArray<string>, extra = {}) => ({
  test: { name, include: [...include], ...extra }
})

export default defineConfig({
  test: {
    projects: [
      // Needs no server: everything runs in memory.
      project("unit", ["{packages,apps}/*/test/**/*.test.ts", "{bench,scripts}/test/**/*.test.ts"], {
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
