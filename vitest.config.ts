import { defineConfig } from "vitest/config"

const project = (name: string, include: Array<string>, extra = {}) => ({ test: { name, include, ...extra } })

export default defineConfig({
  test: {
    projects: [
      project("unit", ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts"], {
        exclude: ["**/*.integration.test.ts"]
      }),
      project("integration", ["packages/*/test/**/*.integration.test.ts", "apps/*/test/**/*.integration.test.ts"], {
        globalSetup: ["scripts/vitest-servers.ts"],
        testTimeout: 60_000
      }),
      project("docs", ["packages/*/.doctest/*.test.ts"])
    ]
  }
})
