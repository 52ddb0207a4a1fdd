import { Database } from "../src/internal/sqlite/Database.ts"
const t = new Map<string, [number, number, number]>()
for (const m of ["run", "get", "all"] as const) {
  const o: any = Database.prototype[m]
  ;(Database.prototype as any)[m] = function (sql: string, ...v: any[]) {
    const c0 = process.cpuUsage(),
      t0 = performance.now()
    const r = o.call(this, sql, ...v)
    const c = process.cpuUsage(c0)
    const e = t.get(sql.slice(0, 60)) ?? [0, 0, 0]
    e[0] += c.user
    e[1] += c.system
    e[2] += performance.now() - t0
    t.set(sql.slice(0, 60), e)
    return r
  }
}
await import("./measure.ts")
const n = (Number(process.argv[4]) + 50) * 100
for (const [k, [u, s, w]] of [...t].sort((a, b) => b[1][0] + b[1][1] - a[1][0] - a[1][1]).slice(0, 9))
  console.log((u / n).toFixed(2), (s / n).toFixed(2), ((w * 1000) / n).toFixed(2), JSON.stringify(k))
