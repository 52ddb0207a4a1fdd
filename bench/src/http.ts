import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

import type { Backends } from "./Backends.ts"
import type { Gate } from "./Gate.ts"
import * as Server from "./http/Server.ts"
import * as Wrk from "./http/Wrk.ts"
import { inTurn, shuffled, times } from "./inTurn.ts"
import { environmentOf, httpServer } from "./leatApp.ts"
import { median } from "./statistics.ts"
import { figure, multiple, render } from "./Table.ts"
import { listOf, topN } from "./workload.ts"

interface Options {
  readonly rounds: number
  /** Whether Leat's service runs too. */
  readonly leat: boolean
}

interface Turn extends Wrk.Load {
  readonly round: number
  readonly name: string
  readonly cpuSeconds: number
  readonly readsPerRequest: number
}

const reference = "fastify"
const warmSeconds = 2
const sliceSeconds = 2

/** Requests per second on hits of `/recommend/cached/{user_id}`, one process each; gives back the gate. */
export const run = async (backends: Backends, options: Options, print: (text: string) => void) => {
  if (!Wrk.isInstalled()) {
    print("Not measured: the load generator wrk is missing (apt-get install wrk, brew install wrk).\n")
    return [gateOf([])]
  }
  await backends.fill()
  const servers = (await inTurn(commandsOf(backends, options), (command) => startOrSay(command, print))).flat()
  try {
    await inTurn(servers, check)
    await inTurn(servers, ({ origin }) => Wrk.run(origin, warmSeconds))
    const rounds = await inTurn(times(options.rounds), (round) => runRound(backends, servers, round))
    const turns = rounds.flat()
    print(`### hits of /recommend/cached/{user_id}, wrk -t1 -c50\n\n${table(servers, turns)}\n`)
    return [gateOf(turns)]
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const words = (line: string) => line.split(" ")

const commandsOf = (backends: Backends, options: Options): ReadonlyArray<Server.Command> => {
  const surroundings = backends.surroundings({ delayMilliseconds: 0, batch: false })
  const environment = { ...environmentOf(surroundings), WORKERS: "1", NODE_ENV: "production" }
  const node = (name: string, program: string) => ({
    name,
    command: process.execPath,
    args: () => [program],
    environment
  })
  return [
    node(reference, here("http/fastify.ts")),
    ...(options.leat ? [node("leat", httpServer())] : []),
    {
      name: "fastapi",
      command: python() ?? "",
      args: (port) => [
        ...words("-m uvicorn fastapi_app:app --loop uvloop --http httptools --no-access-log --log-level warning"),
        "--app-dir",
        here("http"),
        "--port",
        String(port)
      ],
      environment: { ...environment, PYTHONDONTWRITEBYTECODE: "1" }
    }
  ]
}

/** uvicorn's defaults stall each reply by the delayed acknowledgement of TCP; only these two make the comparison fair. */
const python = () =>
  ["/usr/bin/python3", "python3"].find(
    (command) => spawnSync(command, ["-c", "import fastapi, uvicorn, uvloop, httptools, redis.asyncio"]).status === 0
  )

const startOrSay = async (command: Server.Command, print: (text: string) => void) => {
  if (command.command === "") {
    print(
      "FastAPI isn't measured: apt-get install python3-fastapi python3-uvicorn python3-uvloop python3-httptools " +
        "python3-redis python3-hiredis\n"
    )
    return []
  }
  try {
    return [await Server.start(command)]
  } catch (cause) {
    print(`Not measured: ${cause instanceof Error ? cause.message : String(cause)}\n`)
    return []
  }
}

/** All have to give the same body and to refuse the same requests, or their speeds can't be compared. */
const check = async ({ name, origin }: Server.Server) => {
  const user = 7
  const reply = await fetch(`${origin}/recommend/cached/${user}?top_n=${topN}`)
  const { latency_ms: latency, ...body }: Record<string, unknown> = JSON.parse(await reply.text())
  const expected = { user_id: user, recommendations: listOf(user, topN), count: topN, from_cache: true }
  if (JSON.stringify(body) !== JSON.stringify(expected) || !Number.isInteger(latency)) {
    throw new Error(`${name} answers ${JSON.stringify({ ...body, latency_ms: latency })}`)
  }
  await inTurn(["abc?top_n=20", "0?top_n=20", "7?top_n=101", "7?top_n=x"], async (path) => {
    const { status } = await fetch(`${origin}/recommend/cached/${path}`)
    if (status < 400 || status > 499) throw new Error(`${name} answers ${status} to ${path}`)
  })
}

const runRound = async (backends: Backends, servers: ReadonlyArray<Server.Server>, round: number) => {
  await backends.fill()
  return inTurn(shuffled(servers), async ({ name, origin, cpuSeconds }): Promise<Turn> => {
    const readsBefore = await backends.reads()
    const cpuBefore = cpuSeconds()
    const load = await Wrk.run(origin, sliceSeconds)
    const cpu = cpuSeconds() - cpuBefore
    if (load.failures > 0) throw new Error(`${name} failed ${load.failures} of ${load.requests} requests`)
    const readsPerRequest = ((await backends.reads()) - readsBefore) / load.requests
    return { ...load, round, name, cpuSeconds: cpu, readsPerRequest }
  })
}

const perSecond = ({ requests, microseconds }: Wrk.Load) => (requests * 1e6) / microseconds

/** Requests per second over Fastify's in the same round. */
const ratioOf = (turns: ReadonlyArray<Turn>, name: string) => {
  const base = new Map(turns.filter((turn) => turn.name === reference).map((turn) => [turn.round, perSecond(turn)]))
  const own = turns.filter((turn) => turn.name === name)
  return median(own.map((turn) => perSecond(turn) / (base.get(turn.round) ?? Number.NaN)))
}

const gateOf = (turns: ReadonlyArray<Turn>): Gate => {
  const ratio = ratioOf(turns, "leat")
  return {
    what: "`/recommend/cached` hits, requests/s over Fastify's",
    target: 0.7,
    gate: 0.5,
    unit: "×",
    better: "larger",
    reached: Number.isNaN(ratio) ? undefined : ratio
  }
}

const table = (servers: ReadonlyArray<Server.Server>, turns: ReadonlyArray<Turn>) =>
  render(
    ["service", "× fastify", "requests/s", "CPU µs a request", "p50 ms", "p99 ms", "reads/request"],
    servers.map(({ name }) => {
      const own = turns.filter((turn) => turn.name === name)
      const middle = (read: (turn: Turn) => number) => figure(median(own.map(read)))
      return [
        name,
        multiple(ratioOf(turns, name)),
        middle(perSecond),
        middle(({ cpuSeconds, requests }) => (cpuSeconds * 1e6) / requests),
        middle(({ p50 }) => p50),
        middle(({ p99 }) => p99),
        middle(({ readsPerRequest }) => readsPerRequest)
      ]
    })
  )
